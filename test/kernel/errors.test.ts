import { describe, expect, it } from 'vitest'
import { ERROR_CODES, isRefusal, messageOf, TicketringError } from '../../lambda/kernel/errors.ts'
import { REMEDIES } from '../../lambda/kernel/remedies.ts'

describe('a remedy', () => {
  it.each(ERROR_CODES)('stands in the sentence of %s though who throws it names none', (code) => {
    expect(REMEDIES[code]).toMatch(/^[A-Z].{10,}[^.]$/)
    const error = new TicketringError(code, { wanted: 'this', came: 'that' })
    expect(error.message).toBe(`${code}: wanted this; got that. ${REMEDIES[code]}`)
  })

  it("of the case stands in place of the code's own", () => {
    const error = new TicketringError('throttled', { wanted: 'this', came: 'that', fix: 'Ask for more' })
    expect(error.message).toBe('throttled: wanted this; got that. Ask for more')
  })
})

describe('an error in a sentence', () => {
  it('is whole where it is ours, however long: its remedy stands at its end', () => {
    const error = new TicketringError('configuration-invalid', { wanted: 'this', came: 'x'.repeat(5000) })
    expect(messageOf(error)).toBe(error.message)
  })

  it('is cut, and on one line, where it is not', () => {
    expect(messageOf(new Error(`a\nb${'x'.repeat(9000)}`))).toMatch(/^a\?bx{397}…$/)
    expect(messageOf('thrown')).toBe('thrown')
    expect(messageOf(undefined)).toBe('undefined')
  })
})

describe('an error of ours', () => {
  const cause = new Error('below')
  const throttled = () => new TicketringError('throttled', { wanted: 'this', came: 'that', cause })

  it('keeps what caused it, and has no such field where nothing did', () => {
    expect(throttled().cause).toBe(cause)
    expect(new TicketringError('throttled', { wanted: 'this', came: 'that' })).not.toHaveProperty('cause')
  })

  it('is told by its code from others', () => {
    expect(isRefusal(throttled())).toBe(true)
    expect(isRefusal(throttled(), 'access-denied', 'throttled')).toBe(true)
    expect(isRefusal(throttled(), 'access-denied')).toBe(false)
    expect(isRefusal(cause)).toBe(false)
  })
})
