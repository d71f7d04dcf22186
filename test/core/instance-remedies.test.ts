import { describe, expect, it } from 'vitest'
import { withFix } from '../../lambda/fleet/instance-remedies.ts'
import { INSTANCE_REMEDIES } from '../../lambda/ring/instance-remedies.ts'
import { INSTANCE_ERRORS } from '../../lambda/ring/result-line.ts'
import { STAPLE_REMEDIES } from '../../lambda/staples/instance-remedies.ts'
import { STAPLE_ERRORS } from '../../lambda/staples/result-line.ts'

describe.each([
  { of: 'a ring', codes: INSTANCE_ERRORS, remedies: INSTANCE_REMEDIES },
  { of: 'staples', codes: STAPLE_ERRORS, remedies: STAPLE_REMEDIES },
])('what to do about a machine of $of', ({ codes, remedies }) => {
  it.each([...codes])('that says %s is said', (code) => {
    const known: Readonly<Record<string, string>> = remedies
    const { fix, reason } = withFix(known, { id: 'i-1', reason: `${code}: ${'x'.repeat(300)}` })
    expect(fix).toBe(known[code])
    expect(fix).toMatch(/^[A-Z].{8,}[^.]$/)
    expect(reason).toContain(code)
  })

  it('is not made up where its reason has no code', () => {
    const straggler = { id: 'i-1', reason: 'delivery timed out' }
    expect(withFix(remedies, straggler)).toEqual(straggler)
    expect(withFix(remedies, { id: 'i-1', reason: 'constructor: x' })).not.toHaveProperty('fix')
  })
})
