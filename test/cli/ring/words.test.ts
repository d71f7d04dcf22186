import fc from 'fast-check'
import { expect, it } from 'vitest'
import { only } from '../../../cli/ring/words.ts'
import { readContext } from '../../../infra/app/context.ts'
import { parseRing } from '../../../infra/ring/configuration.ts'

const { rings } = readContext().ticketring as { rings: readonly object[] }

it('the command line takes every name that a ring may have', () => {
  const names = fc
    .stringMatching(/^[a-z0-9][a-z0-9-]{0,28}$/)
    .filter((name) => !/-(rotation|staples)/.test(name))
  fc.assert(
    fc.property(names, (name) => {
      expect(only([parseRing({ ...rings[0], name }).name])).toBe(name)
    }),
    { numRuns: 50 },
  )
})

it.each(['', 'Edge', '-edge', 'edge/x', 'edge edge', 'edge\n', '..', 'e'.repeat(65)])(
  '%j names no function',
  (name) => {
    expect(() => only([name])).toThrow('The name of a ring is wanted, not')
  },
)
