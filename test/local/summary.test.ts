import { describe, expect, it } from 'vitest'
import { emptyStapleTally, emptyTally } from '../../local/rehearsal/clients/tally.ts'
import { numbersOf } from '../../local/rehearsal/report/summary.ts'

describe("the summary's last line", () => {
  it('holds the numbers', () => {
    const tally = emptyTally()
    Object.assign(tally.resumption['TLSv1.2'], { tried: 6_000, reused: 6_000 })
    Object.assign(tally.resumption['TLSv1.3'], { tried: 500, reused: 498, lost: 2 })
    Object.assign(tally.retired, { tried: 1 })
    expect(
      numbersOf({ tally, staples: emptyStapleTally(), findings: [{ kind: 'log', where: 'line 1' }] }),
    ).toBe(
      '6,500 resumptions, 2 lost, 0 of 1 retired ticket accepted, key bytes in 1 place, 0 of 0 staples not as expected',
    )
  })
})
