import { TicketringError } from '../errors.ts'
import { encodeCertId, type RequestHash } from './cert-id.ts'
import { encodeExplicit, encodeOctets, encodeOid, encodeSequence } from './der-writer.ts'
import type { Subject } from './subject.ts'

/** id-pkix-ocsp-nonce (RFC 9654). */
export const NONCE = '1.3.6.1.5.5.7.48.1.2'

const HASH_OID = { sha1: '1.3.14.3.2.26', sha256: '2.16.840.1.101.3.4.2.1' } as const
/** RFC 9654 §2.1: 1 to 128 octets; 32 are recommended. */
const LONGEST_NONCE = 128

/**
 * An OCSPRequest (RFC 6960 §4.1.1) for one certificate, unsigned.
 * Without a nonce by default: RFC 9919 §2.1.1, it would keep every cache from answering.
 * @throws TicketringError `request-invalid` for a nonce that is empty or longer than 128 octets.
 */
export function serialiseRequest(subject: Subject, hash: RequestHash, nonce?: Uint8Array): Buffer {
  const certId = subject.certIds.get(HASH_OID[hash])
  if (certId === undefined)
    throw new TicketringError('request-invalid', { wanted: 'a known hash', came: hash })
  const list = encodeSequence(encodeSequence(encodeCertId(certId)))
  return encodeSequence(encodeSequence(list, ...(nonce === undefined ? [] : [encodeNonce(nonce)])))
}

function encodeNonce(nonce: Uint8Array): Buffer {
  if (nonce.length === 0 || nonce.length > LONGEST_NONCE) {
    throw new TicketringError('request-invalid', {
      wanted: `a nonce of 1 to ${LONGEST_NONCE} octets`,
      came: `${nonce.length}`,
    })
  }
  const extension = encodeSequence(encodeOid(NONCE), encodeOctets(encodeOctets(nonce)))
  return encodeExplicit(2, encodeSequence(extension))
}
