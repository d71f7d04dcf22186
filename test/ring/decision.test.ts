import { describe, expect, it } from 'vitest'
import type { RotationConfiguration } from '../../lambda/ring/configuration.ts'
import { decide } from '../../lambda/ring/decision.ts'
import type { Delivery } from '../../lambda/ring/delivery-record.ts'
import type { Intent, Situation } from '../../lambda/ring/situation.ts'
import { configurationOf, HOUR, TIMING } from '../fakes/world.ts'
import { delivered, failed, fleetOf, instant, membersOf, START, unheard } from '../fleet/deliveries.ts'

const LINEAGE = '0b2c6f0e-5d5f-4c6a-9f3e-0a1b2c3d4e5f'
const OTHER = 'ffffffff-5d5f-4c6a-9f3e-0a1b2c3d4e5f'
const FLEET = membersOf(3)
const RECONCILE: Intent = { action: 'reconcile' }
const BY_HAND: Intent = { action: 'rotate', manual: true }
const { every, tick, window, maxKeyAge } = TIMING

/** Generation 7, committed at the start, which all hold. */
const DELIVERY: Delivery = {
  version: 'advance-7',
  lineage: LINEAGE,
  generation: 7,
  parent: 'advance-6',
  encryptsWith: 'a1'.repeat(16),
  rotatedAt: START,
  ...delivered(FLEET),
}
const STRAGGLING: Delivery = { ...DELIVERY, ...delivered(FLEET, [unheard('i-3')]), nextAt: instant(1e6) }

function decided(
  seconds: number,
  changes: Partial<Situation> = {},
  intent: Intent = RECONCILE,
  configuration: Partial<RotationConfiguration> = {},
) {
  const situation: Situation = {
    now: instant(seconds),
    labels: { current: 'advance-7' },
    delivery: DELIVERY,
    carried: { baseline: { members: 3, at: START } },
    fleet: fleetOf(FLEET),
    ...changes,
  }
  return decide(situation, intent, configurationOf(configuration))
}

describe('a tick', () => {
  it('rests while a ring is everywhere and is not due', () => {
    expect(decided(every)).toEqual({
      action: 'rest',
      reason: 'all 3 machines hold generation 7 since 2026-11-21T00:01:00.000Z',
    })
    const none = { ...DELIVERY, ...delivered([]) }
    expect(decided(every, { delivery: none, fleet: fleetOf([]), carried: {} })).toEqual({
      action: 'rest',
      reason: 'no machine has ever answered to the tag',
    })
  })

  it('takes a rotation up a tick after its own trigger has evidently not', () => {
    expect(decided(every + tick - 1)).toMatchObject({ action: 'rest' })
    expect(decided(every + tick)).toMatchObject({
      action: 'advance',
      forced: false,
      reason: expect.stringMatching(/^overdue: all 3/),
    })
    const byHook = (seconds: number) => decided(seconds, {}, RECONCILE, { trigger: 'secrets-manager' })
    expect(byHook(every + window + tick - 1)).toMatchObject({ action: 'rest' })
    expect(byHook(every + window + tick)).toMatchObject({ action: 'advance' })
  })

  it('says what an overdue rotation waits for, and pages', () => {
    const held = decided(every + tick, { delivery: { ...DELIVERY, convergedAt: instant(every) } })
    expect(held).toMatchObject({ action: 'hold', waitsFor: 'ticket-lifetime', page: true })
    expect(held).toMatchObject({ until: instant(every + TIMING.ticketLifetime) })
  })
})

describe('a rotation', () => {
  it('by hand waits for tickets, without a page while none is due, and not for the interval', () => {
    const held = decided(HOUR, {}, BY_HAND)
    expect(held).toMatchObject({ action: 'hold', waitsFor: 'ticket-lifetime', page: false })
    expect(decided(60 + TIMING.ticketLifetime, {}, BY_HAND)).toMatchObject({
      action: 'advance',
      forced: false,
    })
  })

  it('of a schedule that fires in its window is made, and one of before the last rotation is not', () => {
    const scheduled = (scheduledTime: Date): Intent => ({ action: 'rotate', manual: false, scheduledTime })
    expect(decided(every - window, {}, scheduled(instant(every)))).toMatchObject({ action: 'advance' })
    for (const seconds of [-1, 0])
      expect(decided(every, {}, scheduled(instant(seconds)))).toMatchObject({ action: 'rest' })
    expect(decided(every, {}, scheduled(instant(1)))).toMatchObject({ action: 'advance' })
    expect(decided(1, {}, scheduled(instant(1)))).toMatchObject({
      action: 'hold',
      waitsFor: 'ticket-lifetime',
    })
  })

  it.each(['genesis-1', 'advance-8', 'revoke-8', 'advance-7'])(
    'takes over an AWSPENDING of ours: %s',
    (pending) => {
      const noted = { pending: { version: pending, since: instant(every) } }
      const labels = { current: 'advance-7', pending }
      const carried = { baseline: { members: 3, at: START }, ...noted }
      const decision = decided(every, { labels, carried }, BY_HAND, { trigger: 'secrets-manager' })
      expect(decision).toMatchObject({ action: 'advance' })
    },
  )

  it.each(['4f9c2d1e-aaaa', 'x-advance-8'])('waits for an AWSPENDING of another: %s', (pending) => {
    const carried = {
      baseline: { members: 3, at: START },
      pending: { version: pending, since: instant(every) },
    }
    const held = (seconds: number) =>
      decided(seconds, { labels: { current: 'advance-7', pending }, carried }, BY_HAND)
    expect(held(every)).toMatchObject({ action: 'hold', waitsFor: 'operator', page: false })
    expect(held(every + tick)).toMatchObject({ action: 'hold', waitsFor: 'operator', page: true })
    expect(held(every)).not.toHaveProperty('until')
  })
})

describe('an AWSCURRENT that was moved back by hand', () => {
  const carried = (generation: number, lineage = LINEAGE) => ({
    baseline: { members: 3, at: START },
    highest: { lineage, generation },
  })

  it('is held with a page, until the ring is too old', () => {
    expect(decided(HOUR, { carried: carried(8) })).toMatchObject({
      action: 'hold',
      waitsFor: 'operator',
      page: true,
      reason: expect.stringContaining('generation 8 was delivered'),
    })
    expect(decided(maxKeyAge - 1, { carried: carried(8) })).toMatchObject({ action: 'hold' })
    expect(decided(maxKeyAge, { carried: carried(8) })).toMatchObject({ action: 'advance' })
  })

  it('is none where no later generation of its lineage was delivered', () => {
    expect(decided(HOUR, { carried: carried(7) })).toMatchObject({ action: 'rest' })
    expect(decided(HOUR, { carried: carried(8, OTHER) })).toMatchObject({ action: 'rest' })
  })
})

describe('a ring past maxKeyAge', () => {
  it('is replaced though a machine is missing, and not sooner', () => {
    expect(decided(maxKeyAge - 1, { delivery: STRAGGLING })).toMatchObject({ action: 'hold' })
    expect(decided(maxKeyAge, { delivery: STRAGGLING })).toMatchObject({ action: 'advance', forced: true })
  })

  it('is sent first where it never was, unless that was tried', () => {
    const delivery = { ...DELIVERY, ...delivered([], [], { commands: [], attempts: 0 }) }
    const { convergedAt: _, membership: __, ...unsent } = delivery
    expect(decided(maxKeyAge, { delivery: unsent })).toMatchObject({ action: 'deliver' })
    expect(decided(maxKeyAge, { delivery: unsent, unreachable: 'no' })).toMatchObject({
      action: 'advance',
      forced: true,
    })
  })

  it('is not sent again first where that is due', () => {
    const due = { ...STRAGGLING, nextAt: START }
    expect(decided(maxKeyAge, { delivery: due })).toMatchObject({ action: 'advance', forced: true })
    expect(decided(maxKeyAge - 1, { delivery: due })).toMatchObject({ action: 'deliver' })
  })

  it('is heard first where a command is under way, unless that was waited for', () => {
    const commands = [{ id: 'c-2', sentAt: instant(maxKeyAge), judged: false }]
    const delivery = { ...STRAGGLING, commands }
    expect(decided(maxKeyAge, { delivery })).toMatchObject({ action: 'await' })
    expect(decided(maxKeyAge, { delivery, unreachable: 'it runs' })).toMatchObject({ action: 'advance' })
  })
})

describe('a redelivery', () => {
  const late = (seconds: number) => decided(seconds, { delivery: STRAGGLING })

  it('is waited for with a page from when the ring is due', () => {
    expect(late(every - 1)).toMatchObject({ action: 'hold', waitsFor: 'convergence', page: false })
    expect(late(every)).toMatchObject({ action: 'hold', waitsFor: 'convergence', page: true })
  })

  it('after a revoke goes to all at once', () => {
    const ramp = (version: string) => {
      const sent = { ...DELIVERY, ...delivered(FLEET, [failed('i-1')]), version, attempts: 0 }
      return decided(60, { delivery: sent, labels: { current: version } })
    }
    expect(ramp('advance-7')).toMatchObject({ action: 'deliver', to: [{ ramp: true }] })
    expect(ramp('revoke-7')).toMatchObject({ action: 'deliver', to: [{ ramp: false }] })
  })
})

describe('a revoke', () => {
  it('is made where it is asked for, however the ring stands', () => {
    expect(decided(1, { delivery: STRAGGLING }, { action: 'revoke' })).toMatchObject({
      action: 'revoke',
      reason: expect.stringMatching(/all three keys of generation 7.* on 3 machines$/),
    })
    const fleet = { known: false, refusal: 'x' } as const
    expect(decided(1, { fleet }, { action: 'revoke' }).reason).toMatch(/the roll call was refused\)$/)
  })

  it('that was staged is committed by the next tick, and one that is committed is not', () => {
    const revoking = (version: string) => decided(1, { labels: { current: 'advance-7', revoking: version } })
    expect(revoking('revoke-8')).toMatchObject({ action: 'revoke' })
    expect(revoking('advance-7')).toMatchObject({ action: 'rest' })
  })
})
