import { TicketringError } from '../kernel/errors.ts'
import { encodeCertId, type RequestHash } from './cert-id.ts'
import { encodeSequence } from './der-writer.ts'
import type { Subject } from './subject.ts'

const HASH_OID = { sha1: '1.3.14.3.2.26', sha256: '2.16.840.1.101.3.4.2.1' } as const

/**
 * An OCSPRequest (RFC 6960 §4.1.1) for one certificate, unsigned, and without a nonce: RFC 9919 §2.1.1, it would keep
 * every cache from answering.
 */
export function serialiseRequest(subject: Subject, hash: RequestHash): Buffer {
  const certId = subject.certIds.get(HASH_OID[hash])
  if (certId === undefined)
    throw new TicketringError('request-invalid', { wanted: 'a known hash', came: hash })
  return encodeSequence(encodeSequence(encodeSequence(encodeSequence(encodeCertId(certId)))))
}
