import { describe, expect, it } from 'vitest'
import { UNREACHED } from '../../lambda/fleet/cause.ts'
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
    const { fix, reason } = withFix(known, { id: 'i-1', code, detail: 'x'.repeat(300) })
    expect(fix).toBe(known[code])
    expect(fix).toMatch(/^[A-Z].{8,}[^.]$/)
    expect(reason).toBe(`${code}: ${'x'.repeat(300)}`)
  })

  it('is not made up where it named no error', () => {
    const silent = { id: 'i-1', code: UNREACHED, detail: 'delivery timed out' }
    expect(withFix(remedies, silent)).toEqual({ id: 'i-1', reason: 'delivery timed out' })
    expect(withFix(remedies, { id: 'i-1', code: 'constructor', detail: 'x' })).not.toHaveProperty('fix')
  })
})
