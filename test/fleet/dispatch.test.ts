import { describe, expect, it } from 'vitest'
import type { DeliveryState } from '../../lambda/fleet/delivery-state.ts'
import {
  type DispatchPorts,
  dispatch,
  type Patience,
  pollUntilEnded,
  type Unended,
} from '../../lambda/fleet/dispatch.ts'
import type { CommandSender, FleetEvent, Progress } from '../../lambda/fleet/ports.ts'
import type { Address } from '../../lambda/fleet/rollout.ts'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { ManualClock } from '../fakes/clock.ts'
import { delivered, instant, membersOf, START, TARGET } from './deliveries.ts'

const TIMING = { tick: 300, delivery: 100, execution: 10 }
const ALL: Address = { to: 'all', ramp: true, timeout: 120 }
const NAMED: Address = { to: ['i-1', 'i-2'], ramp: false, timeout: 100 }
const refusal = (code: 'instance-invalid' | 'access-denied' | 'throttled', came = code as string) =>
  new TicketringError(code, { wanted: 'a command', came })

function portsWith(sender: Partial<CommandSender>, byte = 128) {
  const [clock, events, slept]: [ManualClock, FleetEvent[], number[]] = [
    new ManualClock(START.toISOString()),
    [],
    [],
  ]
  const sleep = async (milliseconds: number) => {
    slept.push(milliseconds)
    await clock.sleep(milliseconds)
  }
  const ports: DispatchPorts<Address> = {
    sender: {
      send: () => expect.unreachable(),
      progress: () => expect.unreachable(),
      results: () => expect.unreachable(),
      resultOf: () => expect.unreachable(),
      ...sender,
    },
    clock: { now: () => clock.now(), remaining: () => clock.remaining(), sleep },
    chance: { random: (count) => new Uint8Array(count).fill(byte), uuid: () => expect.unreachable() },
    eventLog: { record: (event) => void events.push(event) },
    configuration: {
      timing: TIMING,
      target: { ...TARGET, maxConcurrency: 25 },
      document: { script: '0123456789ab' },
    },
  }
  return { ports, clock, events, slept }
}

/** Sends these orders for a fleet of eight where each is answered, or refused, by `answer`. */
async function send(
  orders: readonly Address[],
  answer: (order: Address) => readonly string[],
  delivery: Partial<DeliveryState> = {},
) {
  const sent: Address[] = []
  const { ports, events } = portsWith({
    send: async (order) => {
      sent.push(order)
      return answer(order)
    },
  })
  const after = await dispatch(ports, delivered(membersOf(8), [], delivery), orders, 8)
  return { sent, events, after }
}

describe('orders', () => {
  it('are sent each, are one attempt together, and are on record as not judged', async () => {
    const { after, sent } = await send([NAMED, { ...NAMED, to: ['i-3'] }], ({ to }) => [`c-${to.length}`])
    expect(sent).toHaveLength(2)
    expect(after.commands.slice(1)).toEqual([
      { id: 'c-2', sentAt: START, judged: false },
      { id: 'c-1', sentAt: START, judged: false },
    ])
    expect(after.attempts).toBe(2)
  })

  it('put on record which program they brought, the last four of several', async () => {
    const scriptsAfter = async (scripts?: readonly string[]) =>
      (await send([ALL], () => ['c-2'], scripts && { scripts })).after.scripts
    const others = ['a', 'b', 'c', 'd'].map((digit) => digit.repeat(12))
    const now = '0123456789ab'
    expect(await scriptsAfter()).toEqual([now])
    expect(await scriptsAfter([now, ...others.slice(0, 1)])).toEqual(['a'.repeat(12), now])
    expect(await scriptsAfter(others)).toEqual([...others.slice(1), now])
    expect((await send([ALL], () => [])).after).not.toHaveProperty('scripts')
  })

  it('end with one to all, for each Region of which a command is on record', async () => {
    const { after, sent } = await send([ALL, NAMED], () => ['c-east', 'c-west'])
    expect(sent).toEqual([ALL])
    expect(after.commands.map(({ id }) => id)).toEqual(['c-1', 'c-east', 'c-west'])
  })

  it('leave the fourteen latest commands on record', async () => {
    const commands = membersOf(14).map(({ id }) => ({ id, sentAt: START, judged: true }))
    const ids = (await send([ALL], () => ['c-new'], { commands })).after.commands.map(({ id }) => id)
    expect(ids).toHaveLength(14)
    expect([ids[0], ids.at(-1)]).toEqual(['i-2', 'c-new'])
  })

  it('take away why the ones before were not sent', async () => {
    const { after } = await send([ALL], () => ['c-2'], { unsent: 'Throttled', nextAt: START })
    expect(after).not.toHaveProperty('unsent')
    expect(after).not.toHaveProperty('nextAt')
  })

  it('that are refused are no attempt, and are tried again a tenth of a tick later, for a reason on record', async () => {
    const { after, events } = await send([ALL], () => {
      throw refusal('access-denied', 'x'.repeat(300))
    })
    const words = `access-denied: ${'x'.repeat(185)}`
    expect(after).toMatchObject({ attempts: 1, unsent: words, nextAt: instant(30) })
    expect(events).toEqual([{ kind: 'trouble', during: 'sending a command', detail: words }])
  })

  it('before a refused one were sent', async () => {
    const { after } = await send([NAMED, { ...NAMED, to: ['i-3'] }], ({ to }) => {
      if (to.length === 1) throw new Error('no way')
      return ['c-2']
    })
    expect(after).toMatchObject({ attempts: 2, unsent: 'Error: no way' })
    expect(after.commands.map(({ id }) => id)).toEqual(['c-1', 'c-2'])
  })

  it('that name a machine which is not valid go to all instead, once, with time for all', async () => {
    const { after, sent, events } = await send([NAMED, NAMED], ({ to }) => {
      if (to !== 'all') throw refusal('instance-invalid')
      return ['c-2']
    })
    expect(sent).toEqual([NAMED, { to: 'all', ramp: false, timeout: 130 }])
    expect(after).toMatchObject({ attempts: 2 })
    expect(events).toMatchObject([{ kind: 'trouble', during: 'naming machines to a command' }])
  })

  it.each([
    ['of all', ALL, 'instance-invalid'],
    ['for another reason', NAMED, 'throttled'],
  ] as const)('that are refused %s are not sent another way', async (_, order, code) => {
    const { after, sent } = await send([order], () => {
      throw refusal(code)
    })
    expect(sent).toEqual([order])
    expect(after.unsent).toBe(`${code}: ${code}`)
  })
})

/** Polls two commands that were sent at the start, for which Systems Manager answers this, look for look. */
async function poll(
  looks: (look: number) => Partial<Progress> | Error,
  patience: Partial<Patience> = {},
  { allowed = 900_000, byte = 128, count = 2 } = {},
) {
  let asked = 0
  const { ports, clock, events, slept } = portsWith(
    {
      progress: async () => {
        const answer = looks(Math.floor(asked++ / count))
        if (answer instanceof Error) throw answer
        return { state: 'running', targets: 8, completed: 1, ...answer }
      },
    },
    byte,
  )
  clock.allow(allowed)
  const open = membersOf(count).map(({ id }) => ({ id, sentAt: START, judged: false }))
  const ended = await pollUntilEnded(ports, open, { reserve: 0, ...patience })
  return { ended, slept, events, waited: (clock.now().getTime() - START.getTime()) / 1000 }
}

describe('waiting for commands', () => {
  const endedAt = (look: number) => (now: number) => ({ state: now >= look ? 'ended' : 'running' }) as const

  it('is over when each has ended', async () => {
    expect(await poll(endedAt(0))).toMatchObject({ ended: true, slept: [] })
    let asked = 0
    expect(await poll(() => ({ state: asked++ % 2 === 0 ? 'ended' : 'running' }))).toMatchObject({
      ended: true,
      waited: expect.any(Number),
    })
    expect(asked).toBeGreaterThan(2)
  })

  it('looks after a second, then half as long again each time, up to fifteen seconds', async () => {
    const { slept } = await poll(endedAt(9))
    const growing = [1000, 1500, 2250, 3375, 5062.5, 7593.75, 11_390.625, 15_000, 15_000]
    expect(slept).toEqual(growing)
  })

  it('spreads its looks a fifth to either side', async () => {
    expect((await poll(endedAt(1), {}, { byte: 0 })).slept).toEqual([800])
    expect((await poll(endedAt(1), {}, { byte: 255 })).slept[0]).toBeCloseTo(1200, -1)
  })

  it('gives up before a look that would leave less time than is to be kept back', async () => {
    expect(await poll(endedAt(9), { reserve: 5000 }, { allowed: 6000 })).toMatchObject({
      ended: false,
      slept: [1000],
    })
    expect(await poll(endedAt(9), { reserve: 5000 }, { allowed: 5999 })).toMatchObject({
      ended: false,
      slept: [],
    })
  })

  it('gives up where the next look would come when it is to be over', async () => {
    expect(await poll(endedAt(9), { until: instant(1) })).toMatchObject({ ended: false, slept: [] })
    expect(await poll(endedAt(9), { until: instant(1.001) })).toMatchObject({ ended: false, slept: [1000] })
  })

  it.each([
    // One, two, two and so on of eight: five waves of 10 s each, and 60 s until it must be listed.
    ['gets on for as long as its ramp may take', { completed: 1 }, 100 + 4 * 10 + 10 + 60],
    ['stands still for less', { completed: 0 }, 100 + 10 + 60],
    ['is not listed for a minute', { state: 'unknown', completed: 0, targets: 0 }, 60],
  ] as const)('a command that %s is waited for', async (_, progress, seconds) => {
    const { ended, waited, slept } = await poll(() => progress)
    expect(ended).toBe(true)
    expect(waited).toBeGreaterThan(seconds)
    expect(waited - (slept.at(-1) ?? 0) / 1000).toBeLessThanOrEqual(seconds)
  })

  it('ends where what stands still is not worth it, which is asked once nothing moves at the slowest pace', async () => {
    const asked: (readonly Unended[])[] = []
    const isMoot = async (unended: readonly Unended[]) => asked.push(unended) > 1
    const { ended, slept } = await poll(
      (look) => ({ targets: 20, completed: Math.min(look, 9) }),
      { isMoot },
      { count: 1 },
    )
    expect(ended).toBe(true)
    expect(asked).toEqual([[{ id: 'i-1', machines: 11 }], [{ id: 'i-1', machines: 11 }]])
    expect(slept).toHaveLength(11)
  })

  it('is told at each look', async () => {
    const { events } = await poll(endedAt(0), {}, { count: 1 })
    expect(events).toEqual([{ kind: 'progress', command: 'i-1', targets: 8, completed: 1 }])
  })

  it('goes on after an answer that does not come, but not where it may not look', async () => {
    const throttled = await poll(
      (look) => (look === 0 ? new Error('slow down') : { state: 'ended' }),
      {},
      { count: 1 },
    )
    expect(throttled).toMatchObject({ ended: true, slept: [1000] })
    expect(throttled.events[0]).toEqual({
      kind: 'trouble',
      during: 'polling the command i-1',
      detail: 'Error: slow down',
    })
    const denied = await poll(() => refusal('access-denied'), {}, { count: 1 })
    expect(denied).toMatchObject({ ended: true, slept: [] })
    expect(denied.events[1]).toEqual({ kind: 'progress', command: 'i-1', targets: 0, completed: 0 })
  })
})
