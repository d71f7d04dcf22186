import { type KeyObject, X509Certificate } from 'node:crypto'

import { TicketringError } from '../kernel/errors.ts'
import { type CertificateUses, readUses } from './certificate-uses.ts'
import { type DerReader, readDer, sequenceOf, wholeOctets } from './der.ts'
import { contextTag, TAG } from './der-element.ts'
import { readExtensions } from './extension.ts'
import { type Name, readName } from './name.ts'
import { readAlgorithm, type Signed } from './signature.ts'
import { readTime } from './time.ts'

/** What OCSP needs of an X.509 certificate. Bytes are views into `der`. */
export interface Certificate extends CertificateUses {
  readonly der: Uint8Array
  /** Content octets of the serial, as they stand. */
  readonly serial: Uint8Array
  readonly issuer: Name
  readonly subject: Name
  readonly notBefore: Date
  readonly notAfter: Date
  /** Bits of the subjectPublicKey BIT STRING, without tag, length and unused bits: what a key hash is over. */
  readonly keyBits: Uint8Array
  /** The public key, read when first asked for. Throws where OpenSSL knows no such key. */
  readonly publicKey: () => KeyObject
  readonly signed: Signed
  /** Whether this key verifies the certificate's signature, by whatever algorithm OpenSSL knows. Does not throw. */
  readonly isSignedBy: (key: () => KeyObject) => boolean
}

/** @throws TicketringError `certificate-malformed`, with what the DER reader or OpenSSL said as its cause. */
export function parseCertificate(der: Uint8Array): Certificate {
  try {
    return Object.freeze(readCertificate(der))
  } catch (cause) {
    throw new TicketringError('certificate-malformed', {
      wanted: 'an X.509 certificate in strict DER',
      came: cause instanceof TicketringError ? cause.came : `${der.length} bytes that OpenSSL does not take`,
      cause,
    })
  }
}

/** Whether OpenSSL takes it for a certificate: a server that reads a response with OpenSSL reads all that come with it. */
export function isReadByOpenssl(der: Uint8Array): boolean {
  try {
    return new X509Certificate(der) instanceof X509Certificate
  } catch {
    return false
  }
}

function readCertificate(der: Uint8Array): Certificate {
  const outer = sequenceOf(readDer(der, 'a certificate'), 'a certificate')
  const tbs = outer.read(TAG.sequence, 'tbsCertificate')
  const algorithm = outer.read(TAG.sequence, 'signatureAlgorithm')
  const signature = wholeOctets(outer.read(TAG.bitString, 'a signature'), 'a signature')
  outer.end()

  const fields = sequenceOf(tbs, 'tbsCertificate')
  fields.optional(contextTag(0))
  const serial = fields.read(TAG.integer, 'serialNumber').content
  refuseOtherAlgorithm(fields.read(TAG.sequence, 'signature').bytes, algorithm.bytes)
  const issuer = readName(fields.read(TAG.sequence, 'issuer'))
  const validity = sequenceOf(fields.read(TAG.sequence, 'validity'), 'validity')
  const [notBefore, notAfter] = [readTime(validity, 'notBefore'), readTime(validity, 'notAfter')]
  const subject = readName(fields.read(TAG.sequence, 'subject'))
  const keyBits = readKeyBits(sequenceOf(fields.read(TAG.sequence, 'subjectPublicKeyInfo'), 'a public key'))
  fields.optional(contextTag(1, 'primitive'))
  fields.optional(contextTag(2, 'primitive'))
  const extensions = readExtensions(fields, 3, 'extensions')
  fields.end()

  return {
    der,
    serial,
    issuer,
    subject,
    notBefore,
    notAfter,
    keyBits,
    ...keyOf(new X509Certificate(der)),
    signed: { data: tbs.bytes, algorithm: readAlgorithm(algorithm), signature },
    ...readUses(extensions),
  }
}

/**
 * What OpenSSL is asked. Nothing else is taken from its reading: fields that the certificate may lack are typed as if
 * they were always there.
 */
function keyOf(x509: X509Certificate): Pick<Certificate, 'publicKey' | 'isSignedBy'> {
  let own: KeyObject | undefined
  return {
    publicKey: () => {
      own ??= x509.publicKey
      return own
    },
    isSignedBy: (key) => {
      try {
        return x509.verify(key())
      } catch {
        return false
      }
    },
  }
}

/** RFC 5280 §4.1.1.2: both places name one algorithm, else what is signed is not what is verified. */
function refuseOtherAlgorithm(inside: Uint8Array, outside: Uint8Array): void {
  if (Buffer.compare(inside, outside) === 0) return
  throw new TicketringError('certificate-malformed', {
    wanted: 'one signature algorithm inside and outside of what is signed',
    came: 'two that differ',
  })
}

function readKeyBits(fields: DerReader): Uint8Array {
  fields.read(TAG.sequence, 'a key algorithm')
  return wholeOctets(fields.read(TAG.bitString, 'subjectPublicKey'), 'subjectPublicKey')
}
