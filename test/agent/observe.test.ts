import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { refusal } from './endpoint.ts'
import { expectedFiles } from './expected-files.ts'
import { advanced, Instance, ringOf } from './instance.ts'

let instance: Instance
afterEach(() => instance.stop())

const shadows = () =>
  readdirSync(instance.runDirectory)
    .filter((name) => name.startsWith('observe.'))
    .sort()
const shadowOf = (name: string) => readFileSync(join(instance.runDirectory, name))

describe.each(['haproxy', 'nginx'] as const)('%s, of a ring that is only looked at', (server) => {
  test('says that it would take the ring, renders it into a shadow for root alone, and changes nothing', async () => {
    instance = await Instance.start(server, ringOf(3))
    const other = ringOf(4)
    instance.publish(other)
    instance.set('MODE=observe')
    const before = await instance.condition()
    const { code, line, stderr } = await instance.run()
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(line).toMatchObject({
      result: 'unchanged',
      mode: 'observe',
      would: 'applied',
      generation: 4,
      lineage: other.lineage,
      verified: 'none',
      encryptsWith: before.encryptsWith,
      lifetime: expect.any(Number),
      serverVersion: expect.stringMatching(/^\d+\.\d+/),
    })
    expect(line.inUse).toBeUndefined()
    expect(await instance.condition()).toEqual(before)
    const names = instance.terminator.keyFiles.map(
      (file) => `observe.${file.slice(file.lastIndexOf('/') + 1)}`,
    )
    expect(shadows()).toEqual(names.toSorted())
    for (const name of names) expect(statSync(join(instance.runDirectory, name)).mode & 0o777).toBe(0o400)
    expect(names.map((name) => shadowOf(name).toString('hex')).join(' ')).toBe(expectedFiles(other, server))
  })

  test('is loaded by the first run that enforces, as the first ring of a machine, and the shadow goes', async () => {
    instance = await Instance.start(server, ringOf(3))
    const other = ringOf(4)
    instance.publish(other)
    instance.set('MODE=observe')
    await instance.run()
    instance.set('MODE=enforce')
    const { code, line } = await instance.run()
    expect({ code, ...line }).toMatchObject({ code: 0, result: 'applied', verified: 'handshake' })
    expect(line).toMatchObject({ encryptsWith: other.current.name, generation: 4 })
    expect(line.mode).toBeUndefined()
    expect(shadows()).toEqual([])
  })

  test('back from enforcing, what was loaded serves on, and the ring is said to be in use', async () => {
    const ring = ringOf(3)
    instance = await Instance.start(server, ring)
    await instance.run()
    const before = await instance.condition()
    instance.set('MODE=observe')
    expect((await instance.run()).line).toMatchObject({
      result: 'unchanged',
      would: 'unchanged',
      inUse: true,
    })
    instance.publish(advanced(ring))
    const next = await instance.run()
    expect(next.line).toMatchObject({ would: 'applied', generation: 4, inUse: true, verified: 'none' })
    expect(await instance.condition()).toEqual(before)
  })
})

describe('HAProxy, of a ring that is only looked at', () => {
  const looking = async () => {
    instance = await Instance.start('haproxy', ringOf(3))
    instance.set('MODE=observe')
  }

  test('a machine that would not take it says why', async () => {
    await looking()
    instance.set('TICKET_LIFETIME=1')
    const { code, line } = await instance.run()
    expect({ code, ...line }).toMatchObject({
      code: 1,
      result: 'failed',
      mode: 'observe',
      error: 'lifetime-exceeded',
    })
    expect(line.would).toBeUndefined()
  })

  test('a server that does not run is named, and gets no file', async () => {
    await looking()
    await instance.terminator.halt()
    for (const file of instance.terminator.keyFiles) rmSync(file)
    const { line } = await instance.run()
    expect(line).toMatchObject({ result: 'failed', mode: 'observe', error: 'server-not-running' })
    for (const file of instance.terminator.keyFiles) expect(existsSync(file)).toBe(false)
  })

  test('without Secrets Manager no keys of the machine’s own are made', async () => {
    await looking()
    instance.endpoint.secret = refusal('AccessDeniedException', 'no')
    for (const file of instance.terminator.keyFiles) rmSync(file)
    for (const words of [[], ['--pull', 'edge']]) {
      const { line } = await instance.run({ arguments: words })
      expect(line).toMatchObject({ result: 'failed', mode: 'observe', error: 'access-denied' })
      for (const file of instance.terminator.keyFiles) expect(existsSync(file)).toBe(false)
    }
  })

  test('a boot puts files where none are, since the server does not start without them, and leaves those that are', async () => {
    await looking()
    const before = instance.files()
    instance.publish(ringOf(4))
    expect((await instance.run({ arguments: ['--boot', 'edge'] })).line.result).toBe('unchanged')
    expect(instance.files()).toBe(before)
    const other = ringOf(5)
    instance.publish(other)
    for (const file of instance.terminator.keyFiles) rmSync(file)
    expect((await instance.run({ arguments: ['--boot', 'edge'] })).line.result).toBe('applied')
    expect(instance.files()).toBe(expectedFiles(other, 'haproxy'))
  })

  test('a word that is no mode is refused', async () => {
    await looking()
    instance.set('MODE=watch')
    const { line } = await instance.run()
    expect(line).toMatchObject({ result: 'failed', error: 'config-invalid' })
    expect(line.detail).toContain('MODE')
  })
})
