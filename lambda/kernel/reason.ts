import type { Fields } from './fields.ts'

/** Code points of a reason: a sentence or two, for the record of a call. */
const LONGEST_REASON = 200

/**
 * What shows nothing, or moves what stands around it: controls, line and paragraph separators, halves of surrogate
 * pairs, and format characters but for the two joiners, without which some scripts and emoji cannot be written.
 */
const UNPRINTABLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]/u

/** @throws TicketringError of the event's code, which says where the text is not printable, or how long it is. */
export function parseReason(fields: Fields): string {
  return parseLine(fields, 'reason')
}

/** The same of a field by another name. @param most code points. */
export function parseLine(fields: Fields, name: string, most = LONGEST_REASON): string {
  const shape = `printable text of 1 to ${most} Unicode code points, on one line`
  const text = fields.string(name, /\S/u, shape)
  const characters = [...text]
  if (characters.length > most) return fields.refuse(name, shape, `${characters.length} code points`)
  const at = characters.findIndex((each) => UNPRINTABLE.test(each))
  if (at < 0) return text
  return fields.refuse(name, shape, `${nameOf(characters[at] ?? '')} as code point ${at + 1}`)
}

function nameOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}
