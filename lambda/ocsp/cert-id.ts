import { createHash } from 'node:crypto'

import type { Certificate } from './certificate.ts'
import { dotted, sequenceOf } from './der.ts'
import { type Element, TAG } from './der-element.ts'
import { encode, encodeOctets, encodeOid, encodeSequence } from './der-writer.ts'
import { HASHES } from './signature.ts'

/** Hashes we ask with: HAProxy knows SHA-1 alone, RFC 9919 §2.1.1 wants SHA-256. */
export type RequestHash = 'sha1' | 'sha256'

/** A certificate as OCSP names it (RFC 6960 §4.1.1): four fields, all of which must agree. */
export interface CertId {
  /** OID of the hash. Parameters absent or NULL are the same. */
  readonly hash: string
  readonly issuerNameHash: Uint8Array
  readonly issuerKeyHash: Uint8Array
  readonly serial: Uint8Array
  /** Whether NULL parameters stand beside the hash. Legal both ways; HAProxy, which compares bytes, wants them. */
  readonly hasNull: boolean
}

/** @throws TicketringError `der-malformed`. */
export function readCertId(element: Element): CertId {
  const fields = sequenceOf(element, 'a CertID')
  const algorithm = sequenceOf(fields.read(TAG.sequence, 'hashAlgorithm'), 'hashAlgorithm')
  const hash = dotted(algorithm.read(TAG.oid, 'hashAlgorithm'))
  const hasNull = algorithm.optional(TAG.null) !== undefined
  algorithm.end()
  const issuerNameHash = fields.read(TAG.octetString, 'issuerNameHash').content
  const issuerKeyHash = fields.read(TAG.octetString, 'issuerKeyHash').content
  const serial = fields.read(TAG.integer, 'serialNumber').content
  fields.end()
  return { hash, issuerNameHash, issuerKeyHash, serial, hasNull }
}

/** The inverse of {@link readCertId}. */
export function encodeCertId({ hash, issuerNameHash, issuerKeyHash, serial, hasNull }: CertId): Buffer {
  const algorithm = encodeSequence(encodeOid(hash), ...(hasNull ? [encode(TAG.null)] : []))
  const hashes = [encodeOctets(issuerNameHash), encodeOctets(issuerKeyHash)]
  return encodeSequence(algorithm, ...hashes, encode(TAG.integer, serial))
}

/** How the issuer names this certificate. The name is the issuer's as it stands in the certificate itself. */
export function certIdOf(certificate: Certificate, issuer: Certificate, hash: string): CertId | undefined {
  const name = HASHES[hash]
  if (name === undefined) return undefined
  return {
    hash,
    issuerNameHash: digest(name, certificate.issuer.der),
    issuerKeyHash: digest(name, issuer.keyBits),
    serial: certificate.serial,
    // As OpenSSL writes it.
    hasNull: true,
  }
}

/** Fields in which two CertIDs of one hash differ. */
export function differences(one: CertId, other: CertId): string[] {
  const fields = ['issuerNameHash', 'issuerKeyHash', 'serial'] as const
  return fields.filter((field) => Buffer.compare(one[field], other[field]) !== 0)
}

function digest(hash: string, bytes: Uint8Array): Buffer {
  return createHash(hash).update(bytes).digest()
}
