import { describe, expect, it } from 'vitest'
import { explanationText } from '../../../cli/staples/explain.ts'
import { ticketring } from '../command-line.ts'

const RULES = [
  { rule: 'V1', ok: true, detail: 'successful' },
  { rule: 'V9', ok: false, detail: 'thisUpdate is ahead' },
  { rule: 'V12', ok: null, detail: 'no nonce' },
]

describe('ticketring explain', () => {
  it('says the verdict, what is stapled, and every rule, what was broken first', () => {
    const given = {
      certificate: 'www',
      verdict: 'refused',
      state: 'staple',
      reason: 'kept',
      effectiveEnd: null,
    }
    expect(explanationText({ ...given, rules: RULES }).split('\n')).toEqual([
      'www: refused; staple: kept',
      '  BROKEN V9: thisUpdate is ahead',
      '  kept   V1: successful',
      '  none   V12: no nonce',
    ])
    const effectiveEnd = '2026-11-28T00:00:00.000Z'
    const good = explanationText({ ...given, verdict: 'good', effectiveEnd, rules: [] })
    expect(good).toBe(`www: good, until ${effectiveEnd}; staple: kept`)
  })

  it.each([[[]], [['web']], [['web', 'www', 'shop']]])('refuses %j', async (words) => {
    const { code, stderr } = await ticketring('explain', ...words)
    expect(code).toBe(2)
    expect(stderr).toContain('The name of a set and that of a certificate are wanted')
  })
})

describe('ticketring document', () => {
  it('prints what would run on the machines of a ring of cdk.json', async () => {
    const { code, stdout } = await ticketring('document', 'edge')
    expect(code).toBe(0)
    expect(stdout).toContain('TICKETRING_RING')
  })

  it('names the rings and sets that there are', async () => {
    const { code, stderr } = await ticketring('document', 'edgy')
    expect(code).toBe(2)
    expect(stderr).toContain('wanted one of edge')
  })
})
