import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../lambda/ring/delivery-record.ts'
import { exposureOf, outlookOf } from '../../lambda/ring/outlook.ts'
import { HOUR, TIMING } from '../fakes/world.ts'

const START = new Date('2026-11-21T00:00:00.000Z')
const at = (hours: number) => new Date(START.getTime() + hours * HOUR * 1000)

/** Generation 7, made at hour 0, converged at hour 1: T is 4 hours, L 2 and maxKeyAge 12. */
const DELIVERY: Delivery = {
  version: 'advance-7',
  lineage: '00000000-0000-4000-8000-000000000000',
  generation: 7,
  parent: 'advance-6',
  encryptsWith: 'a'.repeat(32),
  rotatedAt: at(0),
  convergedAt: at(1),
  commands: [],
  attempts: 1,
  members: 3,
  confirmed: 3,
  stragglers: [],
}

describe('the next rotation', () => {
  it('is due after T, and forced after maxKeyAge', () => {
    expect(outlookOf(DELIVERY, TIMING)).toEqual({ dueAt: at(4), forcedAt: at(12) })
  })

  it('is due later where the fleet converged so late that tickets have yet to live their life', () => {
    expect(outlookOf({ ...DELIVERY, convergedAt: at(3) }, TIMING).dueAt).toEqual(at(5))
  })
})

describe('a ring stolen now', () => {
  const exposure = (changes: Partial<Delivery> = {}, before = {}, hour = 1) =>
    exposureOf({ ...DELIVERY, ...changes }, before, TIMING, at(hour))

  it('reads a session for 2 T + L, at most 2 maxKeyAge + L', () => {
    expect(exposure()).toMatchObject({ sessionSeconds: 10 * HOUR, sessionSecondsAtMost: 26 * HOUR })
  })

  it('reads back to when its oldest key began to encrypt, less L, as recorded', () => {
    const before = { before: { generation: 6, rotatedAt: at(-9) } }
    expect(exposure({}, before)).toMatchObject({ readsFrom: at(-11), readsFromIsKnown: true })
  })

  it('reads back T + L as announced where that is not on record, and says so', () => {
    expect(exposure()).toMatchObject({ readsFrom: at(-6), readsFromIsKnown: false })
    const other = { before: { generation: 5, rotatedAt: at(-9) } }
    expect(exposure({}, other)).toMatchObject({ readsFrom: at(-6), readsFromIsKnown: false })
  })

  it.each(['genesis-1', 'revoke-7'])(
    'reads nothing from before the ring %s, whose keys are all new',
    (version) => {
      expect(exposure({ version })).toMatchObject({ readsFrom: at(0), readsFromIsKnown: true })
    },
  )

  it('reads ahead to the end of `next`: 2 T after the last rotation, later where that is overdue', () => {
    expect(exposure()).toMatchObject({ readsTo: at(8), readsToAtMost: at(24) })
    expect(exposure({}, {}, 6)).toMatchObject({ readsTo: at(10), readsToAtMost: at(24) })
    expect(exposure({}, {}, 13)).toMatchObject({ readsTo: at(17), readsToAtMost: at(25) })
  })
})

describe('what is left of the key that encrypts', () => {
  const left = (changes: Partial<Delivery> = {}, hour = 1) =>
    exposureOf({ ...DELIVERY, ...changes }, {}, TIMING, at(hour)).keyLeftSeconds / HOUR

  it('is L and what the gate still waits for, since two rotations by hand take it out of the ring', () => {
    expect([left(), left({}, 2), left({}, 3), left({}, 9)]).toEqual([4, 3, 2, 2])
  })

  it('is the longer while machines are missing, until maxKeyAge forces the first of the two', () => {
    const { convergedAt: _, ...missing } = DELIVERY
    const behind = (hour: number) => exposureOf(missing, {}, TIMING, at(hour)).keyLeftSeconds / HOUR
    expect([behind(1), behind(11), behind(12), behind(20)]).toEqual([4, 3, 2, 2])
  })

  it('is never less than the longest lifetime that a machine may announce, so no ticket outlives its key', () => {
    const hours = fc.integer({ min: 0, max: 100 })
    fc.assert(
      fc.property(hours, hours, fc.boolean(), (now, since, converged) => {
        const { convergedAt: _, ...missing } = DELIVERY
        const delivery = converged ? { ...DELIVERY, convergedAt: at(Math.min(since, now)) } : missing
        expect(exposureOf(delivery, {}, TIMING, at(now)).keyLeftSeconds).toBeGreaterThanOrEqual(
          TIMING.ticketLifetime,
        )
      }),
    )
  })
})
