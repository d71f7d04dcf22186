import { excerpt } from '../kernel/excerpt.ts'
import { dotted, readDer, sequenceOf } from './der.ts'
import { type Element, TAG } from './der-element.ts'

/** A distinguished name: its exact bytes, which are what OCSP hashes, and a form to compare by. */
export interface Name {
  readonly der: Uint8Array
  readonly folded: string
}

/** @throws TicketringError `der-malformed`. */
export function readName(element: Element): Name {
  const parts = attributesOf(element).map((attributes) =>
    attributes.map(({ type, value }) => JSON.stringify([type, fold(value)])).sort(),
  )
  return { der: element.bytes, folded: JSON.stringify(parts) }
}

/** Short names of attribute types (RFC 4514 §3, RFC 5280 appendix A.1). */
const SHORT: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
}

/** A name in one line, such as `O=Example, CN=Example CA`; one without any attribute is legal (RFC 5280 §4.1.2.6). */
export function describeName({ der }: Name): string {
  const parts = attributesOf(readDer(der, 'a name')).flat()
  const text = parts.map(({ type, value }) => `${SHORT[type] ?? type}=${value}`).join(', ')
  return parts.length === 0 ? 'an empty name' : excerpt(text)
}

/**
 * Whether two names are the same (RFC 5280 §7.1): letter case, white space and string type are left aside.
 * A name only picks who may have signed; the signature decides.
 */
export function sameName(one: Name, other: Name): boolean {
  return one.folded === other.folded
}

interface Attribute {
  readonly type: string
  readonly value: string
}

function attributesOf(name: Element): Attribute[][] {
  return sequenceOf(name, 'a name')
    .rest(TAG.set, 'a relative name')
    .map((set) =>
      sequenceOf({ ...set, tag: TAG.sequence }, 'a relative name')
        .rest(TAG.sequence, 'an attribute')
        .map(readAttribute),
    )
}

function readAttribute(element: Element): Attribute {
  const fields = sequenceOf(element, 'an attribute')
  const type = dotted(fields.read(TAG.oid, 'an attribute type'))
  const value = fields.any()
  fields.end()
  return { type, value: textOf(value) }
}

function textOf({ tag, content, bytes }: Element): string {
  const octets = Buffer.from(content)
  if (tag === TAG.bmpString && octets.length % 2 === 0) return octets.swap16().toString('utf16le')
  if (tag === TAG.utf8String) return octets.toString('utf8')
  const oneByte = tag === TAG.printableString || tag === TAG.ia5String || tag === TAG.teletexString
  return oneByte ? octets.toString('latin1') : `#${Buffer.from(bytes).toString('hex')}`
}

function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ')
}
