import { type DerReader, dotted, sequenceOf } from './der.ts'
import { TAG } from './der-element.ts'

/** One X.509 or OCSP extension (RFC 5280 §4.2): `value` is what the OCTET STRING holds. */
export interface Extension {
  readonly oid: string
  readonly critical: boolean
  readonly value: Uint8Array
}

/**
 * Reads `[number] EXPLICIT Extensions OPTIONAL`.
 * A `critical FALSE` that is spelt out is let through, though X.690 §11.5 forbids it: responders do so.
 * @throws TicketringError `der-malformed`.
 */
export function readExtensions(reader: DerReader, number: number, what: string): readonly Extension[] {
  const list = reader.explicit(number, TAG.sequence, what)
  if (list === undefined) return []
  return sequenceOf(list, what)
    .rest(TAG.sequence, 'an extension')
    .map((element) => {
      const fields = sequenceOf(element, 'an extension')
      const oid = dotted(fields.read(TAG.oid, 'extnID'))
      const critical = fields.optional(TAG.boolean)?.content[0] === 0xff
      const value = fields.read(TAG.octetString, 'extnValue').content
      fields.end()
      return { oid, critical, value }
    })
}

export function findExtension(extensions: readonly Extension[], oid: string): Extension | undefined {
  return extensions.find((extension) => extension.oid === oid)
}
