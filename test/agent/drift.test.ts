/** What was changed on a machine behind the program's back is found, put right and counted. */
import { rmSync, writeFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { advanced, Instance, ringOf } from './instance.ts'

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
