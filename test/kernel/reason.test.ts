import { describe, expect, it } from 'vitest'
import { parseRotationRequest } from '../../lambda/ring/request.ts'
import { parseStapleRequest } from '../../lambda/staples/request.ts'

const PARSERS = [
  ['rotation', (reason: unknown) => parseRotationRequest({ action: 'deliver', reason })],
  ['staple', (reason: unknown) => parseStapleRequest({ action: 'deliver', reason })],
] as const

describe.each(PARSERS)('the reason of a call to the %s function', (_, parse) => {
  it.each([
    ['German', 'Schlüssel gestohlen, „Vorfall“ 4711'],
    ['Japanese', '鍵の漏洩'],
    ['Arabic, which runs from right to left by itself', 'تسريب المفتاح'],
    ['Persian with a zero-width non-joiner', 'می\u200cخواهم'],
    ['an emoji outside the basic plane, with joiners', '🔑👩\u200d💻'],
    ['a letter and a combining accent', 'cafe\u0301'],
    ['no-break space between words', 'ticket\u00a04711'],
    ['200 emoji, which are 400 UTF-16 units', '🔑'.repeat(200)],
  ])('may be %s', (_, reason) => {
    expect(parse(reason)).toMatchObject({ reason })
  })

  it.each([
    ['a line feed', 'two\nlines', 'U+000A as code point 4'],
    ['a carriage return', 'a\rb', 'U+000D'],
    ['an escape sequence', '\u001b[31mred', 'U+001B as code point 1'],
    ['a C1 control', 'a\u0085b', 'U+0085'],
    ['DEL', 'a\u007fb', 'U+007F'],
    ['a line separator', 'a\u2028b', 'U+2028'],
    ['a paragraph separator', 'a\u2029b', 'U+2029'],
    ['a right-to-left override', 'a\u202eb', 'U+202E as code point 2'],
    ['an isolate', '\u2066b\u2069', 'U+2066'],
    ['an Arabic letter mark', 'a\u061cb', 'U+061C'],
    ['a right-to-left mark, behind an emoji', '🔑\u200fb', 'U+200F as code point 2'],
    ['a zero-width space', 'a\u200bb', 'U+200B'],
    ['an invisible tag character', 'a\u{e0041}', 'U+E0041'],
    ['half of a surrogate pair', 'a\ud83d', 'U+D83D'],
    ['a code point that is none', 'a\uffff', 'U+FFFF'],
    ['more than 200 code points', 'ü'.repeat(201), '201 code points'],
    ['nothing', '', 'an empty string'],
    ['nothing but spaces', ' \u00a0\u3000', 'a string of 3'],
    ['no text', 7, 'a number'],
  ])('is not %s, and the refusal says what came', (_, reason, came) => {
    expect(() => parse(reason)).toThrow(
      expect.objectContaining({ code: 'request-invalid', came: expect.stringContaining(came) }),
    )
  })
})
