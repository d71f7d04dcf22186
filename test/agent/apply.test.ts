import { rmSync, statSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { expectedFiles } from './expected-files.ts'
import { advanced, Instance, rendered, ringOf } from './instance.ts'

const OTHER_LINEAGE = 'f3c9a0b4-7f55-4ab5-8a63-5f1f0f0c9d22'
let instance: Instance
afterEach(() => instance.stop())

describe.each(['haproxy', 'nginx'] as const)('%s', (server) => {
  test('the ring that runs already is verified by a handshake and reported unchanged', async () => {
    const ring = ringOf(3)
    instance = await Instance.start(server, ring)
    await instance.run()
    const before = await instance.condition()
    const run = await instance.run()
    expect(run).toMatchObject({ code: 0, stderr: '' })
    expect(run.line).toMatchObject({
      ring: 'edge',
      lineage: ring.lineage,
      generation: 3,
      server,
      result: 'unchanged',
      encryptsWith: ring.current.name,
      verified: 'handshake',
      script: 'abcdef012345',
      lifetime: expect.any(Number),
      serverVersion: expect.stringMatching(/^\d+\.\d+/),
    })
    expect(await instance.condition()).toEqual(before)
  })

  test('the next generation is applied, the key files are 0400 and hold it', async () => {
    const ring = ringOf(1)
    instance = await Instance.start(server, ring)
    await instance.run()
    const after = advanced(ring)
    instance.publish(after)
    const { code, line } = await instance.run()
    expect({ code, ...line }).toMatchObject({
      code: 0,
      result: 'applied',
      generation: 2,
      verified: 'handshake',
    })
    expect(line.encryptsWith).toBe(after.current.name)
    for (const file of instance.terminator.keyFiles) expect(statSync(file).mode & 0o777).toBe(0o400)
    expect(instance.files()).toBe(expectedFiles(after, server))
  })

  test('three fresh keys (a revoke) are applied, and a ticket taken before is refused after', async () => {
    instance = await Instance.start(server, ringOf(1))
    await instance.run()
    const revoked = ringOf(2)
    instance.publish(revoked)
    const run = await instance.run()
    expect(run.line).toMatchObject({ result: 'applied', generation: 2, encryptsWith: revoked.current.name })
    expect(run.stderr).toContain('keeping a ticket under')
    expect(instance.leftTickets()).toEqual([])
  })

  test('an older generation of this lineage is refused as stale, and what runs is named', async () => {
    const ring = ringOf(5)
    instance = await Instance.start(server, ring)
    await instance.run()
    const before = await instance.condition()
    instance.publish(ringOf(4))
    const { code, line } = await instance.run()
    expect({ code, ...line }).toMatchObject({
      code: 1,
      result: 'stale',
      generation: 5,
      lineage: ring.lineage,
    })
    expect(await instance.condition()).toEqual(before)
  })

  test.each([
    ['another lineage, though its generation is lower', ringOf(1, OTHER_LINEAGE)],
    ['its own generation with other keys', ringOf(5)],
  ])('an instance that meets %s applies it and reports reset', async (_, ring) => {
    instance = await Instance.start(server, ringOf(5))
    await instance.run()
    instance.publish(ring)
    const { code, line } = await instance.run()
    expect({ code, ...line }).toMatchObject({ code: 0, result: 'reset', lineage: ring.lineage })
    expect(line).toMatchObject({ generation: ring.generation, encryptsWith: ring.current.name })
  })

  test('with --boot the files are put in place though no server runs, and nothing is verified', async () => {
    const ring = ringOf(1)
    instance = await Instance.start(server, ring)
    for (const file of instance.terminator.keyFiles) rmSync(file)
    instance.verifyOn('proxy')
    instance.set('HAPROXY_SOCKET=/nonexistent/socket')
    const { code, line } = await instance.run({ arguments: ['--boot', 'edge'] })
    expect({ code, ...line }).toMatchObject({
      code: 0,
      result: 'applied',
      verified: 'none',
      encryptsWith: '',
    })
    expect(instance.files()).toBe(expectedFiles(ring, server))
  })
})

describe('haproxy', () => {
  test('an advance is one push: the ring shifts by one, and a repeat pushes nothing', async () => {
    const ring = ringOf(1)
    instance = await Instance.start('haproxy', ring)
    const next = advanced(ring)
    instance.publish(next)
    for (const result of ['applied', 'unchanged', 'unchanged']) {
      expect((await instance.run()).line.result).toBe(result)
      expect(await instance.holds()).toEqual(rendered(next, 'haproxy-80'))
    }
  })
})

describe('nginx', () => {
  test('an unchanged ring is not reloaded', async () => {
    instance = await Instance.start('nginx', ringOf(1))
    await instance.run()
    instance.set('NGINX_RELOAD=false')
    expect((await instance.run()).line.result).toBe('unchanged')
  })
})
