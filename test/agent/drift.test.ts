/** What was changed on a machine behind the program's back is found, put right and counted. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { advanced, ask, Instance, rendered, ringOf } from './instance.ts'

let instance: Instance
afterEach(() => instance.stop())

const BY_STATE_MANAGER = { environment: { SSM_Program: 'keep' } }
const BY_COMMAND = { environment: { SSM_Program: 'bring' } }

test.each(['haproxy', 'nginx'] as const)(
  'a key file of %s that is another is put right, and told by the next command once',
  async (server) => {
    const ring = ringOf(1)
    instance = await Instance.start(server, ring)
    const [file = ''] = instance.terminator.keyFiles
    expect((await instance.run(BY_COMMAND)).line).not.toHaveProperty('drifted')
    writeFileSync(file, 'x')
    expect((await instance.run(BY_STATE_MANAGER)).line).toMatchObject({ result: 'applied', drifted: 1 })
    rmSync(file)
    expect((await instance.run(BY_STATE_MANAGER)).line).toMatchObject({ result: 'applied', drifted: 2 })
    const told = await instance.run(BY_COMMAND)
    expect(told.line).toMatchObject({ result: 'unchanged', drifted: 2 })
    expect((await instance.run(BY_COMMAND)).line).not.toHaveProperty('drifted')
  },
)

test('what was repaired in one generation is told by the command that brings the next', async () => {
  const ring = ringOf(1)
  instance = await Instance.start('haproxy', ring)
  const [file = ''] = instance.terminator.keyFiles
  await instance.run(BY_COMMAND)
  writeFileSync(file, 'x')
  await instance.run(BY_STATE_MANAGER)
  instance.publish(advanced(ring))
  expect((await instance.run(BY_COMMAND)).line).toMatchObject({
    result: 'applied',
    generation: 2,
    drifted: 1,
  })
  expect((await instance.run(BY_COMMAND)).line).not.toHaveProperty('drifted')
})

test.each(['haproxy', 'nginx'] as const)(
  'a %s that was restarted on keys of the generation before is found, put right and counted',
  async (server) => {
    const ring = ringOf(1)
    instance = await Instance.start(server, ring)
    await instance.run(BY_COMMAND)
    const older = instance.contents()
    const next = advanced(ring)
    instance.publish(next)
    await instance.run(BY_COMMAND)
    await instance.terminator.halt()
    for (const [file, bytes] of older) {
      rmSync(file)
      writeFileSync(file, bytes, { mode: 0o400 })
    }
    await instance.terminator.restart()
    expect(await instance.encryptsWith()).toBe(ring.current.name)
    const repaired = await instance.run(BY_STATE_MANAGER)
    expect(repaired.line).toMatchObject({
      result: 'applied',
      verified: 'handshake',
      generation: 2,
      drifted: 1,
    })
    expect(await instance.encryptsWith()).toBe(next.current.name)
    expect((await instance.run(BY_COMMAND)).line).toMatchObject({ result: 'unchanged', drifted: 1 })
  },
)

test('a key that was pushed into HAProxy by hand is found, put right and counted', async () => {
  const ring = ringOf(1)
  instance = await Instance.start('haproxy', ring)
  await instance.run(BY_COMMAND)
  const [file = ''] = instance.terminator.keyFiles
  const [stranger = ''] = rendered(ringOf(9), 'haproxy-80')
  await ask(join(instance.terminator.directory, 'admin.sock'), `set ssl tls-key ${file} ${stranger}`)
  expect(await instance.holds()).toContain(stranger)
  const repaired = await instance.run(BY_STATE_MANAGER)
  expect(repaired.line).toMatchObject({ result: 'applied', verified: 'handshake', drifted: 1 })
  expect(await instance.holds()).toEqual(rendered(ring, 'haproxy-80'))
  expect((await instance.run(BY_COMMAND)).line).toMatchObject({ result: 'unchanged', drifted: 1 })
  expect((await instance.run(BY_COMMAND)).line).not.toHaveProperty('drifted')
})
