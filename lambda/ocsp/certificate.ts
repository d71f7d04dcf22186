import { type KeyObject, X509Certificate } from 'node:crypto'

import { TicketringError } from '../kernel/errors.ts'
import { DerReader, dotted, readDer, sequenceOf, smallInteger, wholeOctets } from './der.ts'
import { contextTag, TAG } from './der-element.ts'
import { type Extension, findExtension, readExtensions } from './extension.ts'
import { type Name, readName } from './name.ts'
import { readAlgorithm, type Signed } from './signature.ts'
import { readTime } from './time.ts'

/** What OCSP needs of an X.509 certificate. Bytes are views into `der`. */
export interface Certificate {
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
  /** http(s) URLs of OCSP responders, in their order; empty is a normal state. */
  readonly ocspUrls: readonly string[]
  readonly caIssuerUrls: readonly string[]
  readonly keyPurposes: readonly string[] | undefined
  /** `undefined` where the certificate does not say: its key may then do anything. */
  readonly keyUsages: readonly KeyUsage[] | undefined
  /** Whether BasicConstraints says that it is a CA's (RFC 5280 §4.2.1.9). */
  readonly isAuthority: boolean
  /** id-pkix-ocsp-nocheck (RFC 6960 §4.2.2.2.1). */
  readonly noCheck: boolean
  /** TLS feature status_request (RFC 7633): clients insist on a staple. */
  readonly mustStaple: boolean
  /** Critical extensions we do not know. */
  readonly unknownCritical: readonly string[]
}

/** Bits of KeyUsage in their order (RFC 5280 §4.2.1.3). */
const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const
export type KeyUsage = (typeof KEY_USAGES)[number]

export const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'

const OID = {
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  keyPurposes: '2.5.29.37',
  accessInformation: '1.3.6.1.5.5.7.1.1',
  ocsp: '1.3.6.1.5.5.7.48.1',
  caIssuers: '1.3.6.1.5.5.7.48.2',
  noCheck: '1.3.6.1.5.5.7.48.1.5',
  tlsFeature: '1.3.6.1.5.5.7.1.24',
} as const

/** Known, and without a bearing on whether a delegate may sign: key ids, names, constraints of CAs, policies. */
const KNOWN = [...Object.values(OID), ...[14, 17, 18, 31, 32, 33, 35, 36, 54].map((arc) => `2.5.29.${arc}`)]

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

type Uses = Pick<
  Certificate,
  | 'ocspUrls'
  | 'caIssuerUrls'
  | 'keyPurposes'
  | 'keyUsages'
  | 'isAuthority'
  | 'noCheck'
  | 'mustStaple'
  | 'unknownCritical'
>

function readUses(extensions: readonly Extension[]): Uses {
  const value = (oid: string) => findExtension(extensions, oid)?.value
  const access = readAccess(value(OID.accessInformation))
  const urls = (method: string) => access.filter((each) => each.method === method).map((each) => each.url)
  const usage = value(OID.keyUsage)
  return {
    ocspUrls: urls(OID.ocsp),
    caIssuerUrls: urls(OID.caIssuers),
    keyPurposes: readList(value(OID.keyPurposes), TAG.oid)?.map(dotted),
    keyUsages: usage === undefined ? undefined : readKeyUsages(usage),
    isAuthority: readIsAuthority(value(OID.basicConstraints)),
    noCheck: value(OID.noCheck) !== undefined,
    mustStaple: (readList(value(OID.tlsFeature), TAG.integer) ?? [])
      .map((feature) => smallInteger(feature, 'a TLS feature'))
      .includes(STATUS_REQUEST),
    unknownCritical: extensions
      .filter(({ critical, oid }) => critical && !KNOWN.includes(oid))
      .map(({ oid }) => oid),
  }
}

function readIsAuthority(value: Uint8Array | undefined): boolean {
  if (value === undefined) return false
  const constraints = sequenceOf(readDer(value, 'BasicConstraints'), 'BasicConstraints')
  return constraints.optional(TAG.boolean)?.content[0] === 0xff
}

/** TLS extension status_request (RFC 6066 §8). */
const STATUS_REQUEST = 5

function readList(value: Uint8Array | undefined, tag: number) {
  if (value === undefined) return undefined
  return sequenceOf(readDer(value, 'an extension value'), 'an extension value').rest(
    tag,
    'an extension value',
  )
}

function readKeyUsages(value: Uint8Array): KeyUsage[] {
  const { content } = new DerReader({ content: value }, 'KeyUsage').read(TAG.bitString, 'KeyUsage')
  return KEY_USAGES.filter((_, bit) => ((content[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0)
}

/** AuthorityInfoAccess (RFC 5280 §4.2.2.1): the http and https ones; ldap and the like are nothing we could ask. */
function readAccess(value: Uint8Array | undefined): { method: string; url: string }[] {
  return (readList(value, TAG.sequence) ?? []).flatMap((element) => {
    const fields = sequenceOf(element, 'an access description')
    const method = dotted(fields.read(TAG.oid, 'an access method'))
    const location = fields.any()
    const url = Buffer.from(location.content).toString('latin1')
    return location.tag === contextTag(6, 'primitive') && /^https?:\/\//i.test(url) ? [{ method, url }] : []
  })
}
