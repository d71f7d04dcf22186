import { DerReader, dotted, readDer, sequenceOf, smallInteger } from './der.ts'
import { contextTag, TAG } from './der-element.ts'
import { type Extension, findExtension } from './extension.ts'

/** What a certificate's extensions say that it is for. */
export interface CertificateUses {
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

/** @throws TicketringError `der-malformed`. */
export function readUses(extensions: readonly Extension[]): CertificateUses {
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
