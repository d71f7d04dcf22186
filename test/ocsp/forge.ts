import { constants, createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

import { type Certificate, parseCertificate } from '../../lambda/ocsp/certificate.ts'
import { contextTag, TAG } from '../../lambda/ocsp/der-element.ts'
import {
  encode,
  encodeExplicit,
  encodeOctets,
  encodeOid,
  encodeSequence,
} from '../../lambda/ocsp/der-writer.ts'

/** A workshop for certificates and responses, sound ones and bent ones: it writes whatever it is told. */

export const NULL = encode(TAG.null)
export const integer = (...octets: number[]) => encode(TAG.integer, Buffer.from(octets))
export const rawTime = (text: string) => encode(TAG.generalizedTime, Buffer.from(text))
/** A GeneralizedTime, or the bytes that were given in its place. */
const time = (date: Date | Buffer) =>
  date instanceof Date ? rawTime(date.toISOString().replace(/[-:T]|\.\d+/g, '')) : date

export const SHA1 = '1.3.14.3.2.26'
export const SHA256 = '2.16.840.1.101.3.4.2.1'
const HASH_NAMES: Record<string, string> = { [SHA1]: 'sha1', [SHA256]: 'sha256' }
const digest = (hash: string, bytes: Uint8Array) =>
  createHash(HASH_NAMES[hash] ?? 'sha1')
    .update(bytes)
    .digest()

/** How a key signs: its AlgorithmIdentifier and the operation. */
export interface Scheme {
  readonly algorithm: Buffer
  readonly sign: (data: Uint8Array, key: KeyObject) => Buffer
}

const hashAndSign = (oid: string, hash: string | null, ...parameters: Buffer[]): Scheme => ({
  algorithm: encodeSequence(encodeOid(oid), ...parameters),
  sign: (data, key) => sign(hash, data, key),
})

/** RSASSA-PSS with its parameters spelt out; `masks` is the hash of MGF1. */
export const pss = (
  hash: 'sha1' | 'sha256',
  { masks = hash, salt = 32, stated = 32, trailer = 1 } = {},
): Scheme => {
  const oid = (name: string) => encodeSequence(encodeOid(name === 'sha1' ? SHA1 : SHA256), NULL)
  const mask = encodeSequence(encodeOid('1.2.840.113549.1.1.8'), oid(masks))
  const parameters = [
    encodeExplicit(0, oid(hash)),
    encodeExplicit(1, mask),
    encodeExplicit(2, stated < 128 ? integer(stated) : integer(0, stated)),
    ...(trailer === 1 ? [] : [encodeExplicit(3, integer(trailer))]),
  ]
  return {
    algorithm: encodeSequence(encodeOid('1.2.840.113549.1.1.10'), encodeSequence(...parameters)),
    sign: (data, key) =>
      sign(hash, data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: salt }),
  }
}

export const SCHEMES = {
  rsa: hashAndSign('1.2.840.113549.1.1.11', 'sha256', NULL),
  rsaSha1: hashAndSign('1.2.840.113549.1.1.5', 'sha1', NULL),
  rsaMd5: hashAndSign('1.2.840.113549.1.1.4', 'md5', NULL),
  pss: pss('sha256'),
  p256: hashAndSign('1.2.840.10045.4.3.2', 'sha256'),
  p384: hashAndSign('1.2.840.10045.4.3.3', 'sha384'),
  p521: hashAndSign('1.2.840.10045.4.3.4', 'sha512'),
  ed25519: hashAndSign('1.3.101.112', null),
} as const

export interface Pair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export const rsaPair = (modulusLength: number): Pair => generateKeyPairSync('rsa', { modulusLength })
export const ecPair = (namedCurve: string): Pair => generateKeyPairSync('ec', { namedCurve })
export const edPair = (): Pair => generateKeyPairSync('ed25519')

export const name = (commonName: string) =>
  encodeSequence(
    encode(TAG.set, encodeSequence(encodeOid('2.5.4.3'), encode(TAG.utf8String, Buffer.from(commonName)))),
  )

export const extension = (oid: string, value: Uint8Array, critical = false) =>
  encodeSequence(
    encodeOid(oid),
    ...(critical ? [encode(TAG.boolean, Buffer.of(0xff))] : []),
    encodeOctets(value),
  )

export const purposes = (...oids: string[]) => extension('2.5.29.37', encodeSequence(...oids.map(encodeOid)))
export const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'
export const NO_CHECK = extension('1.3.6.1.5.5.7.48.1.5', NULL)
export const DIGITAL_SIGNATURE = extension('2.5.29.15', encode(TAG.bitString, Buffer.of(7, 0x80)), true)
export const KEY_ENCIPHERMENT = extension('2.5.29.15', encode(TAG.bitString, Buffer.of(5, 0x20)), true)
const IS_CA = extension('2.5.29.19', encodeSequence(encode(TAG.boolean, Buffer.of(0xff))), true)

/** A party that can sign: a certificate, its key and how it signs. */
export interface Party {
  readonly certificate: Certificate
  readonly pair: Pair
  readonly scheme: Scheme
}

export interface CertificateSpec {
  readonly subject?: string
  readonly serial?: Buffer
  readonly from?: Date
  readonly to?: Date
  readonly extensions?: readonly Buffer[]
  readonly pair?: Pair
  readonly scheme?: Scheme
}

const DAY = 86_400_000

/** A certificate by `issuer`, or by itself. */
export function certify(now: Date, spec: CertificateSpec, issuer?: Party): Party {
  const pair = spec.pair ?? ecPair('prime256v1')
  const scheme = spec.scheme ?? SCHEMES.p256
  const signer = issuer ?? { pair, scheme }
  const subject = name(spec.subject ?? 'a subject')
  const dates = [
    spec.from ?? new Date(now.getTime() - 30 * DAY),
    spec.to ?? new Date(now.getTime() + 300 * DAY),
  ]
  const tbs = encodeSequence(
    encodeExplicit(0, integer(2)),
    encode(TAG.integer, spec.serial ?? Buffer.of(0x11, 0x22)),
    signer.scheme.algorithm,
    issuer === undefined ? subject : Buffer.from(issuer.certificate.subject.der),
    encodeSequence(...dates.map(time)),
    subject,
    pair.publicKey.export({ type: 'spki', format: 'der' }),
    ...(spec.extensions?.length === 0
      ? []
      : [encodeExplicit(3, encodeSequence(...(spec.extensions ?? [IS_CA])))]),
  )
  const signature = signer.scheme.sign(tbs, signer.pair.privateKey)
  const bits = encode(TAG.bitString, Buffer.of(0), signature)
  const der = encodeSequence(tbs, signer.scheme.algorithm, bits)
  return { certificate: parseCertificate(der), pair, scheme }
}

export interface SingleSpec {
  readonly hash?: string
  readonly nullParameters?: boolean
  readonly issuerNameHash?: Buffer
  readonly issuerKeyHash?: Buffer
  readonly serial?: Uint8Array
  readonly status?: Buffer
  readonly thisUpdate?: Date | Buffer
  readonly nextUpdate?: Date | Buffer | 'none'
  readonly extensions?: readonly Buffer[]
}

export interface ResponseSpec {
  readonly responderStatus?: Buffer
  readonly type?: string
  readonly version?: Buffer
  readonly responder?: 'name' | 'key' | Buffer
  readonly producedAt?: Date | Buffer
  readonly singles?: readonly SingleSpec[]
  readonly extensions?: readonly Buffer[]
  readonly scheme?: Scheme
  readonly certificates?: readonly Uint8Array[]
  readonly signatureOver?: (data: Buffer) => Buffer
  readonly afterBasic?: Buffer
  readonly afterAll?: Buffer
}

export const GOOD = encode(contextTag(0, 'primitive'))
export const UNKNOWN = encode(contextTag(2, 'primitive'))
export const revoked = (at: Date, reason?: number) =>
  encode(
    contextTag(1),
    time(at),
    ...(reason === undefined ? [] : [encodeExplicit(0, encode(TAG.enumerated, Buffer.of(reason)))]),
  )

/** A response by `signer` about `leaf` of `issuer`: sound, save for what the spec says. */
export function respond(
  now: Date,
  leaf: Certificate,
  issuer: Certificate,
  signer: Party,
  spec: ResponseSpec = {},
): Buffer {
  const singles = (spec.singles ?? [{}]).map((single) => encodeSingle(now, leaf, issuer, single))
  const data = encodeSequence(
    ...(spec.version === undefined ? [] : [encodeExplicit(0, spec.version)]),
    responderId(spec.responder ?? 'key', signer.certificate),
    spec.producedAt instanceof Buffer
      ? spec.producedAt
      : time(spec.producedAt ?? new Date(now.getTime() - HOUR)),
    encodeSequence(...singles),
    ...extensionsOf(spec.extensions),
  )
  const scheme = spec.scheme ?? signer.scheme
  const signature = spec.signatureOver?.(data) ?? scheme.sign(data, signer.pair.privateKey)
  const certificates = spec.certificates ?? (signer.certificate === issuer ? [] : [signer.certificate.der])
  const basic = encodeSequence(
    data,
    scheme.algorithm,
    encode(TAG.bitString, Buffer.of(0), signature),
    ...(certificates.length === 0 ? [] : [encodeExplicit(0, encodeSequence(...certificates))]),
  )
  const whole = Buffer.concat([basic, spec.afterBasic ?? Buffer.alloc(0)])
  const bytes = encodeSequence(encodeOid(spec.type ?? '1.3.6.1.5.5.7.48.1.1'), encodeOctets(whole))
  const status = spec.responderStatus ?? encode(TAG.enumerated, Buffer.of(0))
  return Buffer.concat([encodeSequence(status, encodeExplicit(0, bytes)), spec.afterAll ?? Buffer.alloc(0)])
}

const HOUR = 3_600_000

function responderId(
  kind: NonNullable<ResponseSpec['responder']>,
  { subject, keyBits }: Certificate,
): Buffer {
  if (kind instanceof Buffer) return kind
  return kind === 'name'
    ? encodeExplicit(1, subject.der)
    : encodeExplicit(2, encodeOctets(digest(SHA1, keyBits)))
}

function encodeSingle(now: Date, leaf: Certificate, issuer: Certificate, spec: SingleSpec): Buffer {
  const hash = spec.hash ?? SHA1
  const certId = encodeSequence(
    encodeSequence(encodeOid(hash), ...(spec.nullParameters === false ? [] : [NULL])),
    encodeOctets(spec.issuerNameHash ?? digest(hash, leaf.issuer.der)),
    encodeOctets(spec.issuerKeyHash ?? digest(hash, issuer.keyBits)),
    encode(TAG.integer, spec.serial ?? leaf.serial),
  )
  const { thisUpdate = new Date(now.getTime() - HOUR), nextUpdate = new Date(now.getTime() + 24 * HOUR) } =
    spec
  return encodeSequence(
    certId,
    spec.status ?? GOOD,
    time(thisUpdate),
    ...(nextUpdate === 'none' ? [] : [encodeExplicit(0, time(nextUpdate))]),
    ...extensionsOf(spec.extensions),
  )
}

function extensionsOf(list: readonly Buffer[] | undefined): Buffer[] {
  return list === undefined ? [] : [encodeExplicit(1, encodeSequence(...list))]
}
