import { DerReader, readUnexamined, sequenceOf, smallInteger } from '../../lambda/ocsp/der.ts'
import { contextTag, TAG } from '../../lambda/ocsp/der-element.ts'

/** Fields of OpenSSL's SSL_SESSION in ASN.1 (i2d_SSL_SESSION; ssl/ssl_asn1.c). */
const LIFETIME_HINT = contextTag(9)

/** Seconds that the server announced for the ticket of a session; undefined where the session names none. */
export function announcedLifetime(session: Uint8Array): number | undefined {
  try {
    const fields = sequenceOf(readUnexamined(session, 'a session'), 'a session').all()
    const hint = fields.find(({ tag }) => tag === LIFETIME_HINT)
    if (hint === undefined) return undefined
    return smallInteger(new DerReader(hint, 'a lifetime').read(TAG.integer, 'a lifetime'), 'a lifetime')
  } catch {
    return undefined
  }
}
