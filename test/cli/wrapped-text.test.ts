import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { widthOf } from '../../cli/terminal.ts'
import { readable, wrappedText } from '../../cli/wrapped-text.ts'

const CANARY =
  '  next: nothing, once it soaks; else mend it, then ticketring deliver edge; or ticketring promote edge   (docs/runbook.md#canary-failed)'

describe('a text on a terminal', () => {
  it('is broken between words, and what follows stands further in', () => {
    expect(wrappedText('  due in 2 h; forced, though machines are missing, in 10 h', 30).split('\n')).toEqual(
      ['  due in 2 h; forced, though', '      machines are missing, in', '      10 h'],
    )
  })

  it.each([60, 80, 120])('of %i columns has each command whole', (columns) => {
    const lines = wrappedText(CANARY, columns).split('\n')
    for (const command of ['ticketring deliver edge', 'ticketring promote edge'])
      expect(lines.filter((line) => line.includes(command))).toHaveLength(1)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns)
  })

  it('keeps a command of another program and what is quoted whole, however long they are', () => {
    const aws =
      'aws elbv2 deregister-targets --target-group-arn <its target group> --targets Id=i-0123456789abcdef0'
    expect(wrappedText(`  ${aws}`, 60)).toBe(`  ${aws}`)
    const quoted = '`{"action":"deliver","reason":"the fleet shrank"}`'
    expect(wrappedText(`  invoke it once by hand, with ${quoted}.`, 60)).toContain(`\n      ${quoted}.`)
  })

  it('loses no word, breaks none, and is no longer than the terminal is wide but by one of them', () => {
    const words = fc.array(fc.stringMatching(/^[a-z(){}:.-]{1,30}$/), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(words, fc.integer({ min: 20, max: 120 }), (all, columns) => {
        const lines = wrappedText(all.join(' '), columns).split('\n')
        expect(lines.flatMap((line) => line.trim().split(' '))).toEqual(all)
        for (const line of lines)
          expect(line.length <= columns || line.trim().split(' ').length === 1).toBe(true)
      }),
    )
  })

  it('is left as it is where it is no terminal', () => {
    expect(readable({}, CANARY)).toBe(CANARY)
    expect(readable({ columns: 80 }, CANARY)).not.toBe(CANARY)
    expect(readable({ columns: widthOf({ columns: 0 }) }, CANARY)).toBe(CANARY)
    expect(widthOf({ columns: 60 })).toBe(60)
  })
})
