import { describe, expect, it } from 'vitest'
import { membershipOf } from '../../lambda/fleet/membership.ts'
import type { Delivery } from '../../lambda/ring/delivery-record.ts'
import { askGate, type GateQuestion, lastChanceUntil } from '../../lambda/ring/gate.ts'

const START = new Date('2026-11-21T00:00:00.000Z')
const instant = (seconds: number) => new Date(START.getTime() + seconds * 1000)
const TIMING = {
  every: 3600,
  window: 60,
  ticketLifetime: 600,
  maxKeyAge: 7200,
  tick: 300,
  delivery: 60,
  execution: 60,
}
const MEMBERS = ['i-1', 'i-2'].map((id) => ({ id, online: true }))
const DELIVERY: Delivery = {
  version: 'advance-1',
  lineage: 'a lineage',
  generation: 7,
  parent: 'advance-0',
  encryptsWith: 'a name',
  rotatedAt: START,
  commands: [{ id: 'c-1', sentAt: instant(10), judged: true }],
  attempts: 1,
  members: 2,
  confirmed: 2,
  stragglers: [],
  membership: membershipOf(['i-1', 'i-2']),
  convergedAt: instant(100),
}
const MISSING: Partial<Delivery> = {
  confirmed: 1,
  stragglers: [{ id: 'i-2', code: 'unheard', detail: 'silent' }],
}

function ask(seconds: number, changes: Partial<Delivery> = {}, question: Partial<GateQuestion> = {}) {
  return askGate({
    now: instant(seconds),
    fleet: { known: true, members: MEMBERS },
    delivery: { ...DELIVERY, ...changes },
    carried: {},
    target: { tag: 'ring', values: ['a'] },
    timing: TIMING,
    leave: { aside: new Set(), mayLag: 0 },
    manual: false,
    ...question,
  })
}

describe('the gate', () => {
  it('opens once the interval has passed, less the window in which a schedule may come', () => {
    expect(ask(3539)).toMatchObject({ open: false, waitsFor: 'interval', until: instant(3540) })
    expect(ask(3540)).toEqual({
      open: true,
      forced: false,
      reason: 'all 2 machines hold generation 7, 59 min old',
    })
  })

  it('waits by hand for the life of a ticket of the last machine, and not for the interval', () => {
    expect(ask(699, {}, { manual: true })).toMatchObject({ waitsFor: 'ticket-lifetime', until: instant(700) })
    expect(ask(700, {}, { manual: true })).toMatchObject({ open: true, forced: false })
    expect(ask(3599, { convergedAt: instant(3000) })).toMatchObject({ waitsFor: 'ticket-lifetime' })
  })

  it('waits for each machine, and says who is missing', () => {
    expect(ask(3600, MISSING)).toEqual({
      open: false,
      waitsFor: 'convergence',
      reason: '1 of 2 machines have confirmed generation 7: i-2 (silent)',
    })
    const reason = 'generation 7 has not been delivered yet'
    expect(ask(3600, { ...MISSING, attempts: 0 })).toMatchObject({ waitsFor: 'convergence', reason })
  })

  it('waits for a judgement of the roll call of now', () => {
    const fleet = { known: true, members: [...MEMBERS, { id: 'i-3', online: true }] } as const
    const reason = 'machines have joined or left since generation 7 was confirmed'
    expect(ask(3600, {}, { fleet })).toEqual({ open: false, waitsFor: 'convergence', reason })
  })

  it('waits where the roll call is refused, whatever was confirmed', () => {
    const fleet = { known: false, refusal: 'AccessDenied' } as const
    expect(ask(3600, {}, { fleet })).toMatchObject({ open: false, waitsFor: 'fleet' })
  })

  it('is forced from maxKeyAge on, and says over what', () => {
    expect(ask(7199, MISSING)).toMatchObject({ open: false, waitsFor: 'convergence' })
    expect(ask(7200, MISSING)).toEqual({
      open: true,
      forced: true,
      reason:
        'the ring is 2.0 h old, past maxKeyAge, although 1 of 2 machines have confirmed generation 7: i-2 (silent)',
    })
    expect(ask(7200, { convergedAt: instant(7000) })).toMatchObject({ open: true, forced: true })
    expect(ask(7200)).toMatchObject({ open: true, forced: false })
  })

  it('is not forced by an interval that is longer than maxKeyAge', () => {
    expect(ask(7200, {}, { timing: { ...TIMING, every: 9000 } })).toMatchObject({ waitsFor: 'interval' })
  })
})

describe('a last command before a ring past maxKeyAge is replaced', () => {
  const until = (commands: Delivery['commands'], seconds: number) =>
    lastChanceUntil({ rotatedAt: START, commands }, TIMING, instant(seconds))
  const sentAt = (seconds: number) => [{ id: 'c', sentAt: instant(seconds), judged: false }]

  it('is waited for one tick past that age, or past its sending where that came later', () => {
    expect(until(sentAt(10), 7199)).toBeUndefined()
    expect(until(sentAt(10), 7200)).toEqual(instant(7500))
    expect(until([], 7200)).toEqual(instant(7500))
    expect(until(sentAt(7300), 7400)).toEqual(instant(7600))
  })
})
