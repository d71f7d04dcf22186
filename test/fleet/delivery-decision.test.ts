import { describe, expect, it } from 'vitest'
import { type DeliveryQuestion, decideDelivery } from '../../lambda/fleet/delivery-decision.ts'
import type { DeliveryState } from '../../lambda/fleet/delivery-state.ts'
import { delivered, failed, fleetOf, instant, membersOf, START, TARGET, TICK } from './deliveries.ts'

const FLEET = membersOf(4)
const REFUSED = { known: false, refusal: 'AccessDenied' } as const

function decide(delivery: DeliveryState, question: Partial<DeliveryQuestion> = {}) {
  return decideDelivery({
    delivery,
    fleet: fleetOf(FLEET),
    carried: { baseline: { members: FLEET.length, at: START } },
    target: TARGET,
    now: instant(60),
    timing: { tick: TICK, delivery: 120, execution: 120 },
    byHand: false,
    ramp: true,
    byTag: false,
    isLate: false,
    standing: 'as it stands',
    ...question,
  })
}

const NEW = delivered([], [], { commands: [], attempts: 0 })
const ONE_FAILED = delivered(FLEET, [failed('i-4')])

describe('what is delivered', () => {
  it('waits for the last command, whatever else is to be done', () => {
    const commands = ['c-0', 'c-1', 'c-2'].map((id) => ({ id, sentAt: START, judged: false }))
    const three = delivered(FLEET, [], { commands })
    for (const byHand of [false, true])
      expect(decide(three, { byHand })).toEqual({ action: 'await', reason: 'command c-2 is under way' })
  })

  it('is sent to all at first, with a ramp', () => {
    const to = [{ to: 'all', ramp: true, timeout: 480 }]
    expect(decide(NEW)).toEqual({ action: 'send', to, reason: 'as it stands' })
  })

  it('goes to no fleet that cannot be read, but where the tag is to tell', () => {
    const reason = 'the roll call was refused: AccessDenied'
    expect(decide(NEW, { fleet: REFUSED })).toEqual({
      action: 'hold',
      waitsFor: 'fleet',
      page: true,
      reason,
    })
    expect(decide(NEW, { fleet: REFUSED, byTag: true })).toMatchObject({
      action: 'send',
      to: [{ to: 'all' }],
    })
  })

  it('rests where all of this roll call hold it, and is judged again where it is another', () => {
    expect(decide(delivered(FLEET))).toEqual({ action: 'rest', reason: 'as it stands' })
    expect(decide(delivered(membersOf(3)), { carried: {} })).toEqual({
      action: 'judge',
      reason: 'the roll call has changed',
    })
  })

  it('is judged again where all hold it and the roll call could not be trusted when it was judged', () => {
    const { convergedAt: _, ...unsettled } = delivered(membersOf(2))
    const two = { ...fleetOf(membersOf(2)), left: { ended: 2, untagged: 0 } }
    const carried = { baseline: { members: 4, at: START } }
    const trusted = { target: { ...TARGET, minShare: 90 }, fleet: two, carried }
    expect(decide(unsettled, trusted)).toEqual({
      action: 'judge',
      reason: 'the roll call can be trusted again',
    })
    expect(decide(delivered(membersOf(2)), trusted)).toMatchObject({ action: 'rest' })
    const untrusted = { ...trusted, fleet: fleetOf(membersOf(2)) }
    expect(decide(unsettled, untrusted).action).not.toBe('rest')
    expect(decide(delivered(membersOf(2), [failed('i-2')]), trusted)).toMatchObject({ action: 'hold' })
  })

  it('holds for a fleet that became too small, once its size is on record', () => {
    const few = { fleet: fleetOf(membersOf(1)) }
    const carried = { baseline: { members: 4, at: START, fewerSince: START } }
    expect(decide(delivered(FLEET), few)).toMatchObject({
      action: 'judge',
      reason: 'the fleet has 1 machines now',
    })
    expect(decide(delivered(FLEET), { ...few, carried })).toMatchObject({
      action: 'hold',
      waitsFor: 'fleet',
      page: true,
    })
  })
})

describe('a redelivery', () => {
  it.each([
    ['from when it is due', { nextAt: instant(500) }, 500],
    ['a tick after the last command where no time is on record', {}, TICK],
  ])('comes %s, not sooner', (_, changes: Partial<DeliveryState>, seconds) => {
    const delivery = { ...ONE_FAILED, ...changes }
    const until = instant(seconds)
    expect(decide(delivery, { now: instant(seconds - 1) })).toEqual({
      action: 'hold',
      waitsFor: 'convergence',
      until,
      page: false,
      reason: 'as it stands',
    })
    expect(decide(delivery, { now: until })).toMatchObject({ action: 'send', to: [{ to: ['i-4'] }] })
  })

  it('counts from the last command', () => {
    const commands = [0, 900].map((at) => ({ id: `c-${at}`, sentAt: instant(at), judged: true }))
    expect(decide({ ...ONE_FAILED, commands }, { now: instant(1000) })).toMatchObject({
      until: instant(1200),
    })
  })

  it.each([
    ['more failed than may', delivered(FLEET, [failed('i-3'), failed('i-4')]), {}],
    ['it has taken too long', ONE_FAILED, { isLate: true }],
    ['a command could not be sent', { ...ONE_FAILED, unsent: 'Throttled', nextAt: instant(200) }, {}],
  ])('is waited for with a page where %s', (_, delivery, question) => {
    expect(decide(delivery, question)).toMatchObject({ action: 'hold', page: true })
  })

  it('waits where the first command could not be sent, and comes as soon as it may', () => {
    const unsent = { ...NEW, unsent: 'Throttled', nextAt: instant(90) }
    expect(decide(unsent, { now: instant(89) })).toMatchObject({
      action: 'hold',
      until: instant(90),
      page: true,
    })
    expect(decide(unsent, { now: instant(90) })).toMatchObject({ action: 'send' })
    expect(decide({ ...NEW, nextAt: instant(90) }, { now: instant(89) })).toMatchObject({ action: 'send' })
    expect(decide({ ...NEW, unsent: 'Throttled' }, { now: instant(89) })).toMatchObject({ action: 'send' })
  })

  it('that was refused is no reason not to see, once it is due, that the roll call has changed', () => {
    const joined = { fleet: fleetOf(membersOf(5)), carried: { baseline: { members: 5, at: START } } }
    const unsent = { ...ONE_FAILED, unsent: 'Throttled', nextAt: instant(90) }
    expect(decide(unsent, { ...joined, now: instant(89) })).toMatchObject({ action: 'hold' })
    expect(decide(unsent, { ...joined, now: instant(90) })).toMatchObject({ action: 'judge' })
  })

  it.each([false, true])('with none of the missing online waits for them; late: %s', (isLate) => {
    const fleet = fleetOf(membersOf(4, 1))
    expect(decide(delivered(fleet.members, [failed('i-4')]), { fleet, now: instant(900), isLate })).toEqual({
      action: 'hold',
      waitsFor: 'convergence',
      page: isLate,
      reason: 'as it stands',
    })
  })
})

describe('a delivery by hand', () => {
  it('goes to those that hold it as well, at once and without a ramp', () => {
    const to = [{ to: 'all', ramp: false, timeout: 120 + 120 * 2 }]
    expect(decide(delivered(FLEET, [failed('i-4')], { nextAt: instant(900) }), { byHand: true })).toEqual({
      action: 'send',
      to,
      reason: 'asked for by hand',
    })
  })

  it('waits for a machine to send to, without a page: the operator is there', () => {
    expect(decide(ONE_FAILED, { byHand: true, fleet: fleetOf(membersOf(4, 4)) })).toEqual({
      action: 'hold',
      waitsFor: 'fleet',
      page: false,
      reason: 'no machine is online to deliver to',
    })
  })
})
