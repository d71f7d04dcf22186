import { describe, expect, it } from 'vitest'
import type { Scales } from '../../lambda/fleet/convergence.ts'
import { weigh } from '../../lambda/fleet/convergence.ts'
import type { DeliveryState } from '../../lambda/fleet/delivery-state.ts'
import type { Heard } from '../../lambda/fleet/evidence.ts'
import { backOff } from '../../lambda/fleet/redelivery.ts'

const TICK = 300
const START = new Date('2026-11-21T00:00:00.000Z')
const SCALES: Scales = { target: { tag: 'a', values: ['b'] }, tick: TICK, what: 'x', lanes: 1 }
const HELD: Heard = { confirmed: true }
const FAILED: Heard = { confirmed: false, code: 'reload-failed', detail: '', spoke: true, ran: true }

function weighed(attempts: number, evidence: readonly (readonly [string, Heard])[]): DeliveryState {
  const delivery = {
    commands: [{ id: 'c-1', sentAt: START, judged: true }],
    attempts,
    members: 2,
    confirmed: 1,
    stragglers: [],
  }
  const members = evidence.map(([id]) => ({ id, online: true }))
  const heard = { fleet: { known: true as const, members }, evidence: new Map(evidence), changed: false }
  return weigh({ delivery, carried: {} }, heard, SCALES, START).delivery
}

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
    const { nextAt } = weighed(4, [
      ['i-1', HELD],
      ['i-2', FAILED],
    ])
    expect(nextAt?.getTime()).toBe(Math.trunc(START.getTime() + backOff(3, 'x', TICK) * 1000))
  })

  it('starts its back-off afresh, for a machine that joins, once all have confirmed', () => {
    expect(
      weighed(6, [
        ['i-1', HELD],
        ['i-2', HELD],
      ]).attempts,
    ).toBe(1)
    expect(
      weighed(6, [
        ['i-1', HELD],
        ['i-2', FAILED],
      ]).attempts,
    ).toBe(6)
  })
})
