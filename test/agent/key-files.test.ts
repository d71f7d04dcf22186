import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { toLayout } from '../../lambda/ring/layouts.ts'
import { expectedFiles } from './expected-files.ts'
import { advanced, ask, Instance, rendered, ringOf } from './instance.ts'

let instance: Instance
afterEach(() => instance.stop())

describe.each(['haproxy', 'nginx'] as const)('%s', (server) => {
  test('each key file is flushed before it takes its place', async () => {
    const ring = ringOf(1)
    instance = await Instance.start(server, ring)
    await instance.run()
    instance.publish(advanced(ring))
    const { directory, keyFiles } = instance.terminator
    const log = join(directory, 'flushed')
    const prefix = ['strace', '-qq', '-y', '-e', 'trace=fsync,renameat,renameat2', '-o', log]
    const { line } = await instance.run({ prefix })
    expect(line).toMatchObject({ result: 'applied' })
    const calls = readFileSync(log, 'utf8').split('\n')
    for (const file of keyFiles.map((each) => basename(each))) {
      const flushed = calls.findIndex((call) => call.startsWith('fsync') && call.includes(`/${file}.new>`))
      const placed = calls.findIndex((call) => call.startsWith('rename') && call.includes(`"${file}.new"`))
      expect(flushed).toBeGreaterThanOrEqual(0)
      expect(placed).toBeGreaterThan(flushed)
    }
  })

  test.runIf(process.getuid?.() === 0)('key files belong to the owner that is configured', async () => {
    const ring = ringOf(1)
    instance = await Instance.start(server, ring)
    instance.set(`${server.toUpperCase()}_OWNER=nobody`)
    instance.publish(advanced(ring))
    await instance.run()
    const nobody = Number(/^nobody:[^:]*:(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[1])
    for (const file of instance.terminator.keyFiles) expect(statSync(file).uid).toBe(nobody)
  })

  test('a key file that an operator changed is put right', async () => {
    const ring = ringOf(1)
    instance = await Instance.start(server, ring)
    await instance.run()
    const [file = ''] = instance.terminator.keyFiles
    rmSync(file)
    writeFileSync(file, 'not a key')
    const { line } = await instance.run()
    expect(line).toMatchObject({ result: 'applied', generation: 1 })
    expect(instance.files()).toBe(expectedFiles(ring, server))
  })
})

describe('haproxy', () => {
  test('a ring that an operator shifted by a blind push is loaded whole again', async () => {
    const ring = ringOf(1)
    instance = await Instance.start('haproxy', ring)
    await instance.run()
    const [file] = instance.terminator.keyFiles
    const push = `set ssl tls-key ${file} ${toLayout(ring.next, 'haproxy-80').toString('base64')}`
    await ask(join(instance.terminator.directory, 'admin.sock'), push)
    expect((await instance.run()).line).toMatchObject({ result: 'applied', generation: 1 })
    expect(await instance.holds()).toEqual(rendered(ring, 'haproxy-80'))
  })
})
