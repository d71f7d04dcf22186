import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { type Answer, NO_CREDENTIALS } from './endpoint.ts'
import { advanced, Instance, ringOf } from './instance.ts'
import { StapleInstance } from './staple-instance.ts'

let instance: Instance | StapleInstance | undefined
afterEach(async () => {
  await instance?.stop()
  instance = undefined
})

const UNIT = 'agent/units/ticketring-staples@.service'
const ROLES = 'meta-data/iam/security-credentials/'
const FROM_METADATA = { ...NO_CREDENTIALS, AWS_REGION: undefined }
const UNAVAILABLE = { status: 503, body: 'try again' }
const NOT_ASSUMED = { status: 200, body: '{"Code":"AssumeRoleUnauthorizedAccess"}' }
const ABSENT = { status: 404, body: 'not found' }

/** A machine that runs generation 1, while AWSCURRENT names generation 2. */
async function oneBehind(): Promise<Instance> {
  const ring = ringOf(1)
  const machine = await Instance.start('haproxy', ring)
  instance = machine
  await machine.run()
  machine.publish(advanced(ring))
  return machine
}

/** Answers the first `times` requests for this path in the place of the metadata service; counts them all. */
function late(machine: Instance, path: string, answer: Answer | 'hang-up', times: number): () => number {
  let asked = 0
  machine.endpoint.metadata = (each) => {
    if (each !== path) return undefined
    asked += 1
    return asked <= times ? answer : undefined
  }
  return () => asked
}

describe('a metadata service that is late', () => {
  test.each<[string, string, Answer | 'hang-up']>([
    ['hangs up', 'api/token', 'hang-up'],
    ['has no role yet', ROLES, ABSENT],
    ['has no region yet', 'meta-data/placement/region', UNAVAILABLE],
    ['has no credentials of the role yet', `${ROLES}terminator`, ABSENT],
    ['cannot assume the role yet', `${ROLES}terminator`, NOT_ASSUMED],
  ])('%s: a boot asks it again', async (_, path, answer) => {
    const machine = await oneBehind()
    const asked = late(machine, path, answer, 2)
    const { code, line } = await machine.run({ arguments: ['--boot', 'edge'], environment: FROM_METADATA })
    expect({ code, ...line }).toMatchObject({ code: 0, result: 'applied', generation: 2 })
    expect(asked()).toBe(3)
  })

  test('an ordinary run leaves it to the next one, and says what it was answered', async () => {
    const machine = await oneBehind()
    const asked = late(machine, ROLES, ABSENT, 1)
    const { line } = await machine.run({ environment: FROM_METADATA })
    expect(line).toMatchObject({
      error: 'no-credentials',
      detail: expect.stringContaining(`${ROLES} with 404`),
    })
    expect(asked()).toBe(1)
  })

  test('a boot gives up before its unit does', async () => {
    instance = await StapleInstance.start('haproxy')
    instance.machine.endpoint.metadata = () => UNAVAILABLE
    const began = Date.now()
    const { line } = await instance.run('all', { arguments: ['--boot', 'outer'], environment: FROM_METADATA })
    expect(line).toMatchObject({ error: 'no-credentials' })
    const seconds = (Date.now() - began) / 1000
    expect(seconds).toBeGreaterThan(10)
    const [, most] = /^TimeoutStartSec=(\d+)$/m.exec(readFileSync(UNIT, 'utf8')) ?? []
    expect(seconds).toBeLessThan(Number(most))
  })

  test('a machine without a role has its region all the same', async () => {
    const machine = await oneBehind()
    late(machine, ROLES, ABSENT, Number.POSITIVE_INFINITY)
    const { line } = await machine.run({ environment: { AWS_REGION: undefined } })
    expect(line).toMatchObject({ result: 'applied', generation: 2 })
  })
})
