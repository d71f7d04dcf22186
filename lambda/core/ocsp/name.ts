import { dotted, type Element, sequenceOf, TAG } from './der.ts'

/** A distinguished name: its exact bytes, which are what OCSP hashes, and a form to compare by. */
export interface Name {
  readonly der: Uint8Array
  readonly folded: string
}

/** @throws TicketringError `der-malformed`. */
export function readName(element: Element): Name {
  const parts = sequenceOf(element, 'a name')
    .rest(TAG.set, 'a relative name')
    .map((set) =>
      sequenceOf({ ...set, tag: TAG.sequence }, 'a relative name').rest(TAG.sequence, 'an attribute'),
    )
  const folded = JSON.stringify(parts.map((attributes) => attributes.map(readAttribute).sort()))
  return { der: element.bytes, folded }
}

/**
 * Whether two names are the same (RFC 5280 §7.1): letter case, white space and string type are left aside.
 * A name only picks who may have signed; the signature decides.
 */
export function sameName(one: Name, other: Name): boolean {
  return one.folded === other.folded
}

function readAttribute(element: Element): string {
  const fields = sequenceOf(element, 'an attribute')
  const type = dotted(fields.read(TAG.oid, 'an attribute type'))
  const value = fields.any()
  fields.end()
  return JSON.stringify([type, textOf(value)])
}

function textOf({ tag, content, bytes }: Element): string {
  const octets = Buffer.from(content)
  if (tag === TAG.bmpString && octets.length % 2 === 0) return fold(octets.swap16().toString('utf16le'))
  if (tag === TAG.utf8String) return fold(octets.toString('utf8'))
  const oneByte = tag === TAG.printableString || tag === TAG.ia5String || tag === TAG.teletexString
  return oneByte ? fold(octets.toString('latin1')) : Buffer.from(bytes).toString('hex')
}

function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ')
}
