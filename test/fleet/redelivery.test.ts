import { describe, expect, it } from 'vitest'
import { weigh } from '../../lambda/fleet/convergence.ts'
import type { DeliveryState, Straggler } from '../../lambda/fleet/delivery-state.ts'
import type { Heard, Unconfirmed } from '../../lambda/fleet/evidence.ts'
import { backOff, isStopped, nextDelivery } from '../../lambda/fleet/redelivery.ts'
import {
  delivered,
  FAILED,
  failed,
  fleetOf,
  instant,
  membersOf,
  START,
  TARGET,
  TICK,
  unheard,
} from './deliveries.ts'

const SCALES = { target: TARGET, tick: TICK, what: 'x', lanes: 1 }
const HELD: Heard = { confirmed: true }

function weighed(attempts: number, second: Heard): DeliveryState {
  const [delivery, evidence] = [
    delivered([], [], { attempts }),
    new Map([
      ['i-1', HELD],
      ['i-2', second],
    ]),
  ]
  const heard = { fleet: fleetOf(membersOf(2)), evidence, changed: false }
  return weigh({ delivery, carried: {} }, heard, SCALES, START).delivery
}

const DEFERRED: Unconfirmed = {
  confirmed: false,
  code: 'reload-deferred',
  detail: '',
  retryAfter: 437,
  spoke: true,
  ran: true,
}

describe('a machine that waits for its turn to reload', () => {
  const waits = (id: string, retryAfter: number): Straggler => ({ ...failed(id), retryAfter })

  it('is missing, but has not failed, and is delivered to when it says that it may', () => {
    const delivery = weighed(4, DEFERRED)
    expect(delivery).toMatchObject({ failed: 0, confirmed: 1 })
    expect(delivery.nextAt).toEqual(new Date(START.getTime() + 437_000))
    expect(delivery.stragglers[0]).toMatchObject({ code: 'reload-deferred', retryAfter: 437 })
  })

  it('is delivered to with the last of several, and after eight ticks at the latest', () => {
    expect(nextFor([waits('i-1', 500), waits('i-2', 20)], {})).toEqual(instant(510))
    expect(nextFor([waits('i-1', 999_999)], {})).toEqual(instant(10 + 8 * TICK))
  })

  it('is delivered to after the usual back-off beside one that failed', () => {
    const usual = nextFor([failed('i-1'), failed('i-2')], {})
    expect(nextFor([waits('i-1', 2000), failed('i-2')], {})).toEqual(usual)
  })
})

describe('a machine that its owner holds', () => {
  it('is missing, and has not failed: it stops no delivery ahead of the others', () => {
    const { retryAfter: _, ...waiting } = DEFERRED as Extract<Unconfirmed, { retryAfter?: number }>
    const delivery = weighed(4, { ...waiting, code: 'held-on-machine' })
    expect(delivery).toMatchObject({ failed: 0, confirmed: 1 })
    expect(delivery.stragglers[0]).toMatchObject({ code: 'held-on-machine' })
  })
})

describe('a redelivery', () => {
  it('waits twice as long each time, up to eight ticks', () => {
    const ticks = [1, 2, 3, 4, 5, 9].map((attempts) => backOff(attempts, 'x', TICK) / TICK)
    for (const [index, most] of [1, 2, 4, 8, 8, 8].entries()) {
      expect(ticks[index]).toBeLessThanOrEqual(most)
      expect(ticks[index]).toBeGreaterThanOrEqual(most * 0.9)
    }
  })

  it('is spread over a tenth of its wait by what is delivered and by the attempt, the same for each look', () => {
    const waits = Array.from({ length: 50 }, (_, n) => backOff(1, `set-${n}`, TICK))
    expect(new Set(waits).size).toBeGreaterThan(40)
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(TICK * 0.07)
    expect(backOff(4, 'x', TICK)).not.toBe(backOff(5, 'x', TICK))
    expect(backOff(4, 'x', TICK)).toBe(backOff(4, 'x', TICK))
  })

  it('comes after the back-off of its attempts where a machine failed', () => {
    expect(weighed(4, FAILED).nextAt?.getTime()).toBe(
      Math.trunc(START.getTime() + backOff(3, 'x', TICK) * 1000),
    )
  })

  it('starts its back-off afresh, for a machine that joins, once all have confirmed', () => {
    expect(weighed(6, HELD).attempts).toBe(1)
    expect(weighed(6, FAILED).attempts).toBe(6)
  })

  it('is counted from the last command, and never comes sooner than a tenth of a tick after this look', () => {
    const commands = [0, 100].map((at) => ({ id: `c-${at}`, sentAt: instant(at), judged: true }))
    const wait = backOff(1, 'x', TICK)
    expect(nextFor([failed('i-1')], { before: { commands } })).toEqual(
      instant(Math.trunc((100 + wait) * 1000) / 1000),
    )
    expect(nextFor([failed('i-1')], { now: instant(1000) })).toEqual(instant(1000 + TICK / 10))
  })
})

/** When it is sent again to these of ten machines, the last two of which are offline. */
function nextFor(
  stragglers: readonly Straggler[],
  {
    before = {},
    confirmed,
    lanes = 1,
    now = instant(10),
  }: { before?: Partial<DeliveryState>; confirmed?: number; lanes?: number; now?: Date },
): Date {
  const members = membersOf(10, 2)
  const later = delivered(members, stragglers, confirmed === undefined ? {} : { confirmed })
  return nextDelivery(delivered(members, stragglers, before), later, members, { ...SCALES, lanes }, now)
}

describe('a redelivery comes at once', () => {
  const now = instant(10)
  const UNREACHED: Straggler = { id: 'i-1', code: 'unreached', detail: 'timed out' }
  const two = [UNREACHED, { ...UNREACHED, id: 'i-2' }]
  const asked = { attempts: 5, confirmed: 2 }

  it('to a machine that comes back, where none that is online lacks it', () => {
    expect(nextFor([{ ...UNREACHED, id: 'i-10' }], { before: { attempts: 7 } })).toEqual(now)
  })

  it('to those that the first command did not reach, though others failed', () => {
    expect(nextFor([UNREACHED, failed('i-2')], {})).toEqual(now)
    expect(nextFor([failed('i-2')], {})).not.toEqual(now)
    expect(nextFor([UNREACHED], { before: { attempts: 5 } })).not.toEqual(now)
  })

  it('as long as more have confirmed than before, to those that no command went to yet', () => {
    const one = [unheard('i-1'), UNREACHED]
    expect(nextFor(one, { before: asked, confirmed: 3, lanes: 2 })).toEqual(now)
    expect(nextFor(one, { before: asked, confirmed: 2, lanes: 2 })).not.toEqual(now)
    expect(nextFor(two, { before: asked, confirmed: 3, lanes: 2 })).not.toEqual(now)
  })

  it('as long as more have confirmed than before, to more than there were commands', () => {
    expect(nextFor(two, { before: asked, confirmed: 3 })).toEqual(now)
    expect(nextFor(two, { before: asked, confirmed: 2 })).not.toEqual(now)
  })

  it('three times, to more than there were commands, though none has confirmed', () => {
    expect(nextFor(two, { before: { attempts: 3, confirmed: 2 }, confirmed: 2 })).toEqual(now)
    expect(nextFor(two, { before: { attempts: 4, confirmed: 2 }, confirmed: 2 })).not.toEqual(now)
    expect(nextFor(two, { before: { attempts: 3, confirmed: 2 }, confirmed: 2, lanes: 2 })).not.toEqual(now)
  })

  it('to none where more failed than may', () => {
    expect(nextFor([UNREACHED, failed('i-2'), failed('i-3')], {})).not.toEqual(now)
    const failures = (members: number, count: number, maxFailures: number) =>
      isStopped(delivered(membersOf(members), [], { failed: count }), { ...TARGET, maxFailures })
    expect([failures(4, 1, 0), failures(4, 2, 0)]).toEqual([false, true])
    expect([failures(50, 5, 10), failures(50, 6, 10)]).toEqual([false, true])
  })
})
