import { describe, expect, it } from 'vitest'
import { isHoldingBack, restingTime } from '../../local/rehearsal/clients/pacing.ts'
import { emptyTally, type Moment, type Tally } from '../../local/rehearsal/clients/tally.ts'

/** So many tries, by the moment in which they were made. */
function tallyOf(moments: Partial<Record<Moment, number>>): Tally {
  const tally = emptyTally()
  Object.assign(tally.moments, moments)
  tally.resumption['TLSv1.3'].tried = Object.values(tally.moments).reduce((sum, each) => sum + each, 0)
  return tally
}

const calm = { committed: 1, delivering: false }
const delivering = { committed: 2, delivering: true }
const advanced = { committed: 2, delivering: false }

describe('clients that come back with tickets', () => {
  it('never stay away while a delivery runs', () => {
    expect(isHoldingBack(tallyOf({ 'in between': 1000 }), delivering)).toBe(false)
  })

  it('leave most tries to the first delivery, however long it takes to come', () => {
    expect(isHoldingBack(tallyOf({ 'at once': 20, 'in between': 43 }), calm)).toBe(false)
    expect(isHoldingBack(tallyOf({ 'at once': 20, 'in between': 44 }), calm)).toBe(true)
  })

  it('stay away where deliveries have too small a part of all tries', () => {
    const seen = { 'after the next advance': 1, 'during a delivery': 34 }
    expect(isHoldingBack(tallyOf({ ...seen, 'in between': 65 }), advanced)).toBe(false)
    expect(isHoldingBack(tallyOf({ ...seen, 'in between': 66 }), advanced)).toBe(true)
  })

  it('come back once a key was superseded, until one of its tickets was tried', () => {
    const seen = { 'during a delivery': 68, 'at once': 43, 'in between': 116 }
    expect(isHoldingBack(tallyOf(seen), advanced)).toBe(false)
    expect(isHoldingBack(tallyOf({ ...seen, 'after the next advance': 1 }), advanced)).toBe(true)
    expect(isHoldingBack(tallyOf(seen), calm)).toBe(true)
  })

  it('rest longest while deliveries have less than their part, and least in one', () => {
    const few = restingTime(tallyOf({ 'in between': 10 }), calm)
    const enough = restingTime(tallyOf({ 'in between': 5, 'during a delivery': 5 }), calm)
    const busy = restingTime(tallyOf({ 'in between': 10 }), delivering)
    expect(few).toBeGreaterThan(enough)
    expect(enough).toBeGreaterThan(busy)
  })
})
