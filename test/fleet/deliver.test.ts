import { describe, expect, it } from 'vitest'
import type { Judge } from '../../lambda/fleet/collect-evidence.ts'
import {
  awaitCommands,
  type Capability,
  type Delivering,
  type DeliveryPorts,
  judgeFleet,
  send,
} from '../../lambda/fleet/deliver.ts'
import type { DeliveryState } from '../../lambda/fleet/delivery-state.ts'
import type { Heard, Invocation } from '../../lambda/fleet/evidence.ts'
import type { Member } from '../../lambda/fleet/membership.ts'
import type { Progress } from '../../lambda/fleet/ports.ts'
import type { Address } from '../../lambda/fleet/rollout.ts'
import { ManualClock } from '../fakes/clock.ts'
import { delivered, fleetOf, instant, membersOf, START, TARGET, TICK, unheard } from './deliveries.ts'

const FLEET = membersOf(3)
const open = (id: string) => ({ id, sentAt: START, judged: false })
const ONE_OPEN = delivered(
  FLEET,
  FLEET.map(({ id }) => unheard(id)),
  {
    commands: [{ ...open('c-1'), judged: true }, open('c-2')],
    attempts: 2,
  },
)

/** A fleet whose machines said this of the commands under way, and whose roll is called again as `now`. */
function delivering(
  verdicts: Readonly<Record<string, 'unchanged' | 'changed' | 'failed'>>,
  {
    delivery = ONE_OPEN,
    members = FLEET,
    now = FLEET,
    state = 'ended' as Progress['state'],
    next = false,
    open = [] as readonly string[],
    completed = 2,
  } = {},
) {
  const calls: string[] = []
  const saved: Delivering[] = []
  const clock = new ManualClock(START.toISOString())
  clock.allow(next ? 1000 : 300_000)
  const invocations = Object.entries(verdicts).map(
    ([id, output]): Invocation => ({ id, status: 'Success', output }),
  )
  const unanswered = open.map((each): Invocation => {
    const [id = '', status = ''] = each.split(' ')
    return { id, status, output: '' }
  })
  const ports: DeliveryPorts<Address> = {
    sender: {
      send: async ({ to }) => [`sent to ${to}`],
      progress: async (command) => {
        calls.push(`progress ${command}`)
        return { state, targets: 3, completed }
      },
      results: async (command) => {
        calls.push(`results ${command}`)
        return { invocations: [...invocations, ...unanswered], ...(next ? { next: 'more' } : {}) }
      },
      resultOf: () => expect.unreachable(),
    },
    inventory: {
      members: async () => {
        calls.push('roll call')
        return now
      },
      countListed: () => expect.unreachable(),
    },
    clock,
    chance: { random: (count) => new Uint8Array(count).fill(128), uuid: () => expect.unreachable() },
    eventLog: { record: () => {} },
    configuration: {
      document: { script: '0123456789ab' },
      target: TARGET,
      timing: { tick: TICK, delivery: 120, execution: 120 },
    },
  }
  const judge: Judge<Heard> = {
    judge: ({ status, output }) =>
      status !== 'Success' || output === 'failed'
        ? { confirmed: false, code: 'reload-failed', detail: '', spoke: true, ran: true }
        : { confirmed: true, changed: output === 'changed' },
  }
  const capability: Capability<Delivering, Address, Heard> = {
    message: (to) => to,
    judge: () => judge,
    subject: () => 'x',
    save: async (each) => void saved.push(each),
  }
  const before: Delivering = { fleet: fleetOf(members), delivery, carried: {} }
  return { ports, capability, before, calls, saved, clock }
}

const ALL = { 'i-1': 'unchanged', 'i-2': 'unchanged', 'i-3': 'unchanged' } as const

describe('waiting', () => {
  it('is for the commands that are under way alone; then the fleet is judged and that is on record', async () => {
    const { ports, capability, before, calls, saved } = delivering(ALL)
    const { state, ended } = await awaitCommands(ports, capability, before)
    expect(calls).toEqual(['progress c-2', 'results c-2'])
    expect(ended).toBe(true)
    expect(saved).toEqual([state])
    expect(state.delivery).toMatchObject({ confirmed: 3, convergedAt: START })
  })

  it.each([
    ['is terminated', ['i-3 InProgress'], membersOf(2), 2],
    ['is terminated before its turn, as listed', ['i-3 Pending'], membersOf(2), 2],
    ['is offline, and belongs to the fleet', ['i-3 InProgress'], membersOf(3, 1), undefined],
    ['is terminated, as one is whose turn has not come', [], membersOf(2), undefined],
    ['is terminated while another one has yet to answer', ['i-2 InProgress'], membersOf(2), undefined],
  ] as const)('for a machine that %s', async (_, open, now, confirmed) => {
    const answers = { 'i-1': 'unchanged', 'i-2': 'unchanged' } as const
    const world = delivering(answers, { now, state: 'running', open })
    const { state, ended } = await awaitCommands(world.ports, world.capability, world.before, instant(120))
    expect(ended).toBe(confirmed !== undefined)
    expect(world.saved).toEqual(ended ? [state] : [])
    if (ended) expect(state).toMatchObject({ fleet: { members: now }, delivery: { members: 2, confirmed } })
    if (ended) expect(state.delivery.commands.every(({ judged }) => judged)).toBe(true)
  })

  it('waits for a machine of the fleet, though the command is open on one that has left as well', async () => {
    const open = ['i-2 InProgress', 'i-3 InProgress']
    const world = delivering(
      { 'i-1': 'unchanged' },
      { now: membersOf(2), state: 'running', open, completed: 1 },
    )
    const { ended } = await awaitCommands(world.ports, world.capability, world.before, instant(120))
    expect([ended, world.saved]).toEqual([false, []])
  })

  it('asks who has left once of the same standing and roll call', async () => {
    const answers = { 'i-1': 'unchanged', 'i-2': 'unchanged' } as const
    const world = delivering(answers, { state: 'running', open: ['i-3 InProgress'] })
    await awaitCommands(world.ports, world.capability, world.before, instant(200))
    expect(world.calls.filter((call) => call === 'results c-2')).toHaveLength(1)
    expect(world.calls.filter((call) => call === 'roll call').length).toBeGreaterThan(1)
  })

  it('goes on where it cannot be asked who has left', async () => {
    const world = delivering({}, { now: membersOf(2), state: 'running' })
    const sender = { ...world.ports.sender, results: async () => Promise.reject(new Error('slow down')) }
    const events: unknown[] = []
    const ports = {
      ...world.ports,
      sender,
      eventLog: { record: (event: unknown) => void events.push(event) },
    }
    const { ended } = await awaitCommands(ports, world.capability, world.before, instant(120))
    expect(ended).toBe(false)
    expect(events).toContainEqual({
      kind: 'trouble',
      during: 'asking who has yet to answer',
      detail: 'Error: slow down',
    })
  })

  it('ends at the time that is set, and changes nothing then', async () => {
    const { ports, capability, before, saved, clock } = delivering(ALL, { state: 'running' })
    const { state, ended } = await awaitCommands(ports, capability, before, instant(2))
    expect([state, ended, saved]).toEqual([before, false, []])
    expect(clock.now().getTime()).toBeLessThan(instant(2).getTime())
  })
})

describe('a fleet that is judged', () => {
  const judged = async (...options: Parameters<typeof delivering>) => {
    const world = delivering(...options)
    return { ...world, ...(await judgeFleet(world.ports, world.capability, world.before)) }
  }

  it('has its roll called again while a machine is missing, which may have gone', async () => {
    const { calls, state } = await judged({ 'i-1': 'unchanged' }, { now: membersOf(1) })
    expect(calls).toEqual(['results c-2', 'roll call'])
    expect(state).toMatchObject({ fleet: { members: membersOf(1) }, delivery: { members: 1, confirmed: 1 } })
    expect((await judged(ALL)).calls).toEqual(['results c-2'])
  })

  it.each([
    ['none changed its keys', ALL, instant(-60)],
    ['one did', { ...ALL, 'i-2': 'changed' }, START],
  ] as const)('converged when the last that had to change had: %s', async (_, verdicts, convergedAt) => {
    const delivery = { ...ONE_OPEN, convergedAt: instant(-60) }
    expect((await judged(verdicts, { delivery })).state.delivery).toMatchObject({ convergedAt })
  })

  it('is read on by the next run where its results were not read to the end', async () => {
    const { state, ended } = await judged({ 'i-1': 'unchanged' }, { next: true })
    expect(ended).toBe(false)
    expect(state.delivery).toMatchObject({ reading: { command: 'c-2', next: 'more' }, confirmed: 1 })
    const reading = { command: 'c-2', next: 'more' }
    expect((await judged(ALL, { delivery: { ...ONE_OPEN, reading } })).state.delivery).not.toHaveProperty(
      'reading',
    )
  })

  it('is sent to again at once where more machines than commands under way were not reached', async () => {
    const attempts = { attempts: 3 }
    const missing = { 'i-1': 'unchanged' } as const
    const one = await judged(missing, { delivery: { ...ONE_OPEN, ...attempts, confirmed: 1 } })
    expect(one.state.delivery.nextAt).toEqual(START)
    const commands = [open('c-2'), open('c-3')]
    const two = await judged(missing, { delivery: { ...ONE_OPEN, ...attempts, confirmed: 1, commands } })
    expect(two.state.delivery.nextAt).not.toEqual(START)
  })
})

describe('what is sent', () => {
  const to: Address = { to: ['i-1'], ramp: true, timeout: 120 }
  const sentBy = async (delivery: DeliveryState, members: readonly Member[]) => {
    const { ports, capability, before, saved } = delivering({}, { delivery, members })
    return { after: await send(ports, capability, before, [to]), saved }
  }

  it('is on record before it is waited for', async () => {
    const { after, saved } = await sentBy(ONE_OPEN, FLEET)
    expect(saved).toEqual([after])
    expect(after.delivery).toMatchObject({
      attempts: 3,
      commands: [{}, {}, { id: 'sent to i-1', judged: false }],
    })
  })
})
