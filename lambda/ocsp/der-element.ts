import { TicketringError } from '../kernel/errors.ts'

/** Identifier octets that OCSP and certificates use (X.690 §8.1.2). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const

/** Identifier of a context-specific element: `[number]`, constructed as EXPLICIT tagging makes it unless told otherwise. */
export function contextTag(number: number, form: 'constructed' | 'primitive' = 'constructed'): number {
  return (form === 'constructed' ? 0xa0 : 0x80) | number
}

/** One tag-length-value: `bytes` with its header, `content` without; both are views, not copies. */
export interface Element {
  readonly tag: number
  readonly bytes: Uint8Array
  readonly content: Uint8Array
}

/** @throws TicketringError `der-malformed`. */
export function refuseDer(wanted: string, came: string): never {
  throw new TicketringError('der-malformed', { wanted, came })
}

/** The element that begins there: what it holds is not looked at. @throws TicketringError `der-malformed`. */
export function elementAt(bytes: Uint8Array, offset: number): Element {
  const tag = bytes[offset]
  if (tag === undefined) refuseDer('a DER element', 'no bytes')
  if ((tag & 0x1f) === 0x1f) refuseDer('a tag number below 31', describeTag(tag))
  const { length, start } = lengthAt(bytes, offset + 1)
  const end = start + length
  if (end > bytes.length) {
    refuseDer(`${length} octets of content`, `${bytes.length - start} before the end: truncated`)
  }
  return { tag, bytes: bytes.subarray(offset, end), content: bytes.subarray(start, end) }
}

function lengthAt(bytes: Uint8Array, offset: number): { length: number; start: number } {
  const first = bytes[offset]
  if (first === undefined) refuseDer('a length', 'the end: truncated')
  if (first < 0x80) return { length: first, start: offset + 1 }
  if (first === 0x80) refuseDer('a definite length', 'an indefinite one')
  const octets = bytes.subarray(offset + 1, offset + 1 + (first & 0x7f))
  const length = octets.reduce((sum, octet) => sum * 256 + octet, 0)
  if (octets[0] === 0 || length < 0x80) refuseDer('a minimal length', `${length} in ${octets.length} octets`)
  return { length, start: offset + 1 + octets.length }
}

export function describeTag(tag: number | undefined): string {
  return tag === undefined ? 'nothing' : `tag ${hex(tag)}`
}

export function hex(octet: number): string {
  return `0x${octet.toString(16).padStart(2, '0')}`
}
