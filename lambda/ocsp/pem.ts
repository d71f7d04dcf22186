import { isRefusal, TicketringError } from '../kernel/errors.ts'
import { type Certificate, parseCertificate } from './certificate.ts'
import { TAG } from './der-element.ts'

/** Blocks of a PEM text (RFC 7468) with one of these labels, in their order; text around them is left aside. */
export function decodePem(text: string, labels: readonly string[]): Buffer[] {
  const blocks = text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----/g)
  return [...blocks].flatMap(([, label, body]) => {
    return labels.includes(label as string) ? [Buffer.from(body as string, 'base64')] : []
  })
}

/**
 * Whether the bytes begin as DER does: a SEQUENCE with a long length, or with a short one that is right. A PEM text
 * may begin with the digit 0, which is the same octet, but no length follows it.
 */
export function looksLikeDer(bytes: Uint8Array): boolean {
  const [tag, length = 0] = bytes
  return tag === TAG.sequence && (length >= 0x80 || length === bytes.length - 2)
}

/** RFC 7468 §5.1: the label, and the one that older tools write. */
export const CERTIFICATE_LABELS: readonly string[] = ['CERTIFICATE', 'X509 CERTIFICATE']

/**
 * Certificates of a file, PEM (one or a chain) or DER (one), told by content.
 * @throws TicketringError `certificate-malformed`.
 */
export function parseCertificates(
  bytes: Uint8Array,
  labels = CERTIFICATE_LABELS,
): [Certificate, ...Certificate[]] {
  const [first, ...rest] = certificateBlocks(bytes, labels)
  return [parseCertificate(first), ...rest.map(parseCertificate)]
}

/** Those that can be read, and what is wrong with each of the others: one must not keep the rest from being used. */
export function readCertificates(
  blocks: readonly Uint8Array[],
  parse: (der: Uint8Array) => Certificate = parseCertificate,
): { readonly certificates: readonly Certificate[]; readonly troubles: readonly TicketringError[] } {
  const certificates: Certificate[] = []
  const troubles: TicketringError[] = []
  for (const der of blocks) {
    try {
      certificates.push(parse(der))
    } catch (error) {
      if (!isRefusal(error)) throw error
      troubles.push(error)
    }
  }
  return { certificates, troubles }
}

/**
 * DER of the certificates of a file, as {@link parseCertificates} finds them.
 * @throws TicketringError `certificate-malformed` where there is none.
 */
export function certificateBlocks(
  bytes: Uint8Array,
  labels = CERTIFICATE_LABELS,
): [Uint8Array, ...Uint8Array[]] {
  const [first, ...rest] = looksLikeDer(bytes)
    ? [bytes]
    : decodePem(Buffer.from(bytes).toString('latin1'), labels)
  if (first !== undefined) return [first, ...rest]
  throw new TicketringError('certificate-malformed', {
    wanted: 'a certificate in PEM or DER',
    came: `${bytes.length} bytes with none`,
  })
}
