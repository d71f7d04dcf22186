import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TaggedCanary } from '../../lambda/aws/canary.ts'
import { TaggedInstances } from '../../lambda/aws/fleet-inventory.ts'
import { RingParameters } from '../../lambda/aws/ring-parameters.ts'
import { RingCommandSender } from '../../lambda/aws/run-command.ts'
import { RingSecret } from '../../lambda/aws/secrets-manager.ts'
import type { CommandSender, FleetInventory, Records } from '../../lambda/fleet/ports.ts'
import type {
  CanaryWatch,
  Controls,
  Order,
  RingCommits,
  RingVersions,
  Rotations,
} from '../../lambda/ring/ports.ts'
import type { LoopbackAws } from '../../local/aws/loopback.ts'
import { ManualClock } from '../fakes/clock.ts'
import { SimulatedFleet } from '../fakes/fleet.ts'
import { MemoryControls, MemoryRecord } from '../fakes/record.ts'
import { MemorySecret } from '../fakes/secret.ts'
import { configurationOf, TIMING } from '../fakes/world.ts'
import { clients, joinMachine, removeFolders, startAccount } from '../local/aws/fixture.ts'
import { template } from '../local/aws/template.ts'

/** Everything the rotation story reaches outside by, and the hands of others who are there. */
interface Outside {
  readonly secret: RingVersions & RingCommits & Rotations
  readonly records: Records
  readonly controls: Controls
  readonly inventory: FleetInventory
  /** The same, of a caller who is allowed nothing. */
  readonly forbidden: FleetInventory
  readonly sender: CommandSender<Order>
  readonly canary: CanaryWatch
  setAlarm(name: string, state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA'): void
  /** @param isCanary whether it has the canary's tag too. */
  join(id: string, isCanary?: boolean): { lose(): void; leave(): void }
}

const TOKENS = ['a', 'b', 'c'].map((letter) => letter.repeat(32)) as [string, string, string]

function inMemory(): Outside {
  const secret = new MemorySecret()
  const fleet = new SimulatedFleet(secret, 'edge', [])
  const forbidden = new SimulatedFleet(secret, 'edge', [])
  forbidden.rollCallDenied = true
  return {
    secret,
    records: new MemoryRecord(),
    controls: new MemoryControls(new ManualClock()),
    inventory: fleet,
    forbidden,
    sender: fleet,
    canary: fleet,
    setAlarm: (name, state) => void fleet.alarms.set(name, state),
    join(id, isCanary = false) {
      const instance = fleet.join(id)
      instance.canary = isCanary
      return {
        lose: () => {
          instance.online = false
        },
        leave: () => {
          instance.present = false
        },
      }
    },
  }
}

function onLoopback(aws: LoopbackAws): Outside {
  const { secrets, ssm } = clients(aws)
  const configuration = configurationOf({
    document: { name: 'apply-edge', version: '1', script: '0123456789ab' },
    target: { tag: 'ring', values: ['edge'], minInstances: 1 },
    timing: { ...TIMING, delivery: 30 },
    canary: { tag: 'canary', values: ['yes'], soak: 60, stopOnAlarms: [] },
  })
  const stranger = joinMachine(aws, { id: 'i-0000000000000000f', tags: { ring: 'other' } })
  return {
    secret: new RingSecret(secrets, aws.resources.secrets[0]?.arn ?? ''),
    ...new RingParameters(ssm, configuration),
    inventory: new TaggedInstances(ssm, configuration.target),
    forbidden: new TaggedInstances(clients(aws, stranger.credentials()).ssm, configuration.target),
    sender: new RingCommandSender(ssm, configuration),
    canary: new TaggedCanary(ssm, configuration, aws.endpoint),
    setAlarm: (name, state) => aws.setAlarm(name, state),
    join: (id, isCanary) =>
      joinMachine(aws, { id, ...(isCanary ? { tags: { ring: 'edge', canary: 'yes' } } : {}) }),
  }
}

const accounts: LoopbackAws[] = []
afterAll(async () => {
  await Promise.all(accounts.map((aws) => aws.close()))
  removeFolders()
})

describe.each([
  ['in memory', async () => inMemory()],
  [
    'the real adapters over the wire',
    async () => {
      // The function of this account refuses its first step: what RotateSecret itself does, stays.
      const variables = { FAIL_AT: 'createSecret', REFUSALS: '99' }
      const aws = await startAccount({ template: template({ rotation: {}, variables }) })
      accounts.push(aws)
      return onLoopback(aws)
    },
  ],
])('the ports of the rotation: %s', (_, start) => {
  let outside: Outside
  let first: string

  beforeAll(async () => {
    outside = await start()
    first = (await outside.secret.labels()).current
  })

  it('begin with the placeholder under AWSCURRENT, and no record', async () => {
    expect(await outside.secret.read('AWSCURRENT')).toEqual({ version: first, value: '{}' })
    expect(await outside.secret.read({ version: TOKENS[0] })).toBeUndefined()
    expect(await outside.records.read()).toBeUndefined()
  })

  it('stage a value under AWSPENDING and leave AWSCURRENT where it is', async () => {
    await outside.secret.stage(TOKENS[0], '{"x":"1"}')
    expect(await outside.secret.labels()).toMatchObject({ current: first, pending: TOKENS[0] })
    expect(await outside.secret.read({ version: TOKENS[0] })).toEqual({
      version: TOKENS[0],
      value: '{"x":"1"}',
    })
  })

  it('take the same value for a version again, and no other', async () => {
    await outside.secret.stage(TOKENS[0], '{"x":"1"}')
    await expect(outside.secret.stage(TOKENS[0], '{"x":"2"}')).rejects.toMatchObject({
      code: 'version-conflict',
    })
  })

  it('start no rotation while AWSPENDING is elsewhere', async () => {
    await expect(outside.secret.start(TOKENS[2])).rejects.toMatchObject({ code: 'rotation-in-progress' })
  })

  it('move AWSCURRENT from its parent only, and AWSPREVIOUS after it', async () => {
    await expect(outside.secret.promote(TOKENS[0], TOKENS[1])).rejects.toMatchObject({ code: 'label-moved' })
    expect((await outside.secret.labels()).current).toBe(first)
    await outside.secret.promote(TOKENS[0], first)
    expect(await outside.secret.labels()).toMatchObject({ current: TOKENS[0], previous: first })
    await expect(outside.secret.promote(TOKENS[0], first)).rejects.toMatchObject({ code: 'label-moved' })
  })

  it('take a label off once, and do not mind where it is gone', async () => {
    for (let n = 0; n < 2; n++) {
      await outside.secret.unlabel('AWSPREVIOUS', first)
      await outside.secret.unlabel('AWSPENDING', TOKENS[0])
    }
    const labels = await outside.secret.labels()
    expect(labels).toMatchObject({ current: TOKENS[0] })
    expect(labels).not.toHaveProperty('previous')
    expect(labels).not.toHaveProperty('pending')
  })

  it('leave a label alone that has moved on to another version', async () => {
    await outside.secret.stage(TOKENS[1], '{"x":"3"}')
    await outside.secret.unlabel('AWSPENDING', TOKENS[0])
    expect(await outside.secret.labels()).toMatchObject({ pending: TOKENS[1] })
  })

  it('start a rotation by AWSPENDING on a version without a value, once', async () => {
    await outside.secret.unlabel('AWSPENDING', TOKENS[1])
    await outside.secret.start(TOKENS[2])
    expect(await outside.secret.labels()).toMatchObject({ current: TOKENS[0], pending: TOKENS[2] })
    expect(await outside.secret.read({ version: TOKENS[2] })).toBeUndefined()
    await expect(outside.secret.start('d'.repeat(32))).rejects.toMatchObject({ code: 'rotation-in-progress' })
    expect(await outside.secret.labels()).toMatchObject({ pending: TOKENS[2] })
  })

  it('keep the last text of a record', async () => {
    await outside.records.write('{"v":1}')
    await outside.records.write('{"v":2}')
    expect(await outside.records.read()).toBe('{"v":2}')
  })

  it('keep the versions of what operators set, and say where another one was first', async () => {
    const { controls, records } = outside
    expect(await controls.read()).toBeUndefined()
    expect(await controls.earlier(1)).toBeUndefined()
    expect(await controls.write('{"version":1}', 0)).toBe(1)
    expect(await controls.write('{"version":2}', 0)).toBeUndefined()
    expect(await controls.write('{"version":3}', 1)).toBe(2)
    const [record, stored] = await Promise.all([records.read(), controls.read()])
    expect(record).toBe('{"v":2}')
    expect(stored).toEqual({ text: '{"version":3}', version: 2, modifiedAt: expect.any(Date) })
    expect(await controls.earlier(1)).toMatchObject({ text: '{"version":1}', version: 1 })
    expect(await controls.earlier(3)).toBeUndefined()
  })

  it('call the roll of who is there, lost ones included, gone ones not', async () => {
    expect(await outside.inventory.members()).toEqual([])
    outside.join('i-0000000000000000a')
    outside.join('i-0000000000000000b').lose()
    outside.join('i-0000000000000000c').leave()
    const members = [...(await outside.inventory.members())].sort((one, other) =>
      one.id.localeCompare(other.id),
    )
    expect(members).toEqual([
      { id: 'i-0000000000000000a', online: true },
      { id: 'i-0000000000000000b', online: false },
    ])
  })

  it('count those that Systems Manager lists, whatever became of the others', async () => {
    const ids = ['a', 'b', 'c', 'd'].map((letter) => `i-0000000000000000${letter}`)
    expect(await outside.inventory.countListed(ids)).toBe(2)
    expect(await outside.inventory.countListed([])).toBe(0)
  })

  it('refuse a command that names a machine which is gone, by a code of its own', async () => {
    const to = ['i-0000000000000000a', 'i-0000000000000000c']
    const order = { generation: 7, to, ramp: false, timeout: 30 }
    await expect(outside.sender.send(order)).rejects.toMatchObject({ code: 'instance-invalid' })
  })

  it('call no roll for a caller who may not, and name the permission that is missing', async () => {
    await expect(outside.forbidden.members()).rejects.toMatchObject({
      code: 'access-denied',
      came: expect.stringContaining('not authorized to perform: ssm:DescribeInstanceInformation'),
    })
  })

  it('bring a command to those it names, to its end, and give each one’s own output', async () => {
    const [command = ''] = await outside.sender.send({
      generation: 7,
      to: ['i-0000000000000000a'],
      ramp: true,
      timeout: 30,
    })
    await expect.poll(async () => (await outside.sender.progress(command)).state).toBe('ended')
    const { invocations, next } = await outside.sender.results(command)
    expect(invocations.map(({ id }) => id)).toEqual(['i-0000000000000000a'])
    expect(invocations[0]?.status).toMatch(/Success|Failed/)
    expect(next).toBeUndefined()
    expect(await outside.sender.resultOf(command, 'i-0000000000000000a')).toEqual(invocations[0])
    expect(await outside.sender.resultOf(command, 'i-0000000000000000b')).toBeUndefined()
  })

  it('bring a command to every machine with the tag, and say so while one has not answered', async () => {
    const [command = ''] = await outside.sender.send({ generation: 7, to: 'all', ramp: false, timeout: 30 })
    const targets = async () => (await outside.sender.results(command)).invocations.length
    await expect.poll(targets).toBe(2)
    expect((await outside.sender.progress(command)).targets).toBe(2)
  })

  it('know nothing of a command that was never sent', async () => {
    const unknown = '00000000-0000-0000-0000-000000000000'
    expect((await outside.sender.progress(unknown)).state).toBe('unknown')
    expect(await outside.sender.results(unknown)).toEqual({ invocations: [] })
  })

  it("tell which machines have the canary's tag beside the ring's, and send to them alone", async () => {
    outside.join('i-0000000000000c001', true)
    expect(await outside.canary.machines()).toEqual(['i-0000000000000c001'])
    const [command = ''] = await outside.sender.send({
      generation: 1,
      to: 'all',
      canary: true,
      ramp: false,
      timeout: 30,
    })
    await expect
      .poll(async () => (await outside.sender.results(command)).invocations.map(({ id }) => id), {
        timeout: 60_000,
      })
      .toEqual(['i-0000000000000c001'])
  })

  it('tell the states of alarms, and leave out what is not there', async () => {
    outside.setAlarm('errors', 'ALARM')
    outside.setAlarm('latency: p99', 'INSUFFICIENT_DATA')
    const states = await outside.canary.alarmStates(['errors', 'latency: p99', 'gone'])
    expect([...states].sort()).toEqual([
      ['errors', 'ALARM'],
      ['latency: p99', 'INSUFFICIENT_DATA'],
    ])
  })
})
