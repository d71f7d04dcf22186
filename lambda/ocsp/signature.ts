import { constants, type KeyObject, verify } from 'node:crypto'

import { DerReader, dotted, readDer, sequenceOf, smallInteger } from './der.ts'
import { type Element, TAG } from './der-element.ts'

/** An AlgorithmIdentifier; `parameters` is their whole DER, absent where none were sent. */
interface Algorithm {
  readonly oid: string
  readonly parameters: Uint8Array | undefined
}

/** Exact bytes that were signed, and what was said to sign them. */
export interface Signed {
  readonly data: Uint8Array
  readonly algorithm: Algorithm
  readonly signature: Uint8Array
}

/** @throws TicketringError `der-malformed`. */
export function readAlgorithm(element: Element): Algorithm {
  const fields = sequenceOf(element, 'an algorithm')
  const oid = dotted(fields.read(TAG.oid, 'an algorithm'))
  const parameters = fields.next === undefined ? undefined : fields.any().bytes
  fields.end()
  return { oid, parameters }
}

/** True where the parameters are absent or NULL: senders do either (RFC 5754 §2, §3). */
function hasNoParameters({ parameters }: Algorithm): boolean {
  return parameters === undefined || (parameters.length === 2 && parameters[0] === TAG.null)
}

/** Names of the hashes a CertID or a signature may use, by OID. */
export const HASHES: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}

interface Scheme {
  readonly name: string
  readonly keys: readonly string[]
  /** Absent for Ed25519, which hashes by itself. */
  readonly hash?: string
  readonly saltLength?: number
}

const RSA = ['rsa']
const EC = ['ec']
export const PSS = '1.2.840.113549.1.1.10'
const MGF1 = '1.2.840.113549.1.1.8'
/** NIST's (P-256, P-384, P-521), and RFC 5639's, which some authorities of states and of health insurance use. */
export const CURVES = [
  'prime256v1',
  'secp384r1',
  'secp521r1',
  'brainpoolP256r1',
  'brainpoolP384r1',
  'brainpoolP512r1',
]
/** Below this an RSA key can be factored. */
export const SMALLEST_RSA = 1024

/** V8's allow-list, PSS aside. */
export const SCHEMES: Readonly<Record<string, Scheme>> = {
  '1.2.840.113549.1.1.5': { name: 'RSA with SHA-1', keys: RSA, hash: 'sha1' },
  '1.2.840.113549.1.1.11': { name: 'RSA with SHA-256', keys: RSA, hash: 'sha256' },
  '1.2.840.113549.1.1.12': { name: 'RSA with SHA-384', keys: RSA, hash: 'sha384' },
  '1.2.840.113549.1.1.13': { name: 'RSA with SHA-512', keys: RSA, hash: 'sha512' },
  '1.2.840.10045.4.1': { name: 'ECDSA with SHA-1', keys: EC, hash: 'sha1' },
  '1.2.840.10045.4.3.2': { name: 'ECDSA with SHA-256', keys: EC, hash: 'sha256' },
  '1.2.840.10045.4.3.3': { name: 'ECDSA with SHA-384', keys: EC, hash: 'sha384' },
  '1.2.840.10045.4.3.4': { name: 'ECDSA with SHA-512', keys: EC, hash: 'sha512' },
  '1.3.101.112': { name: 'Ed25519', keys: ['ed25519'] },
}

/**
 * Verifies a signature under the allow-list: RSA PKCS #1, RSA-PSS and ECDSA with SHA-256, 384 or 512, Ed25519; SHA-1
 * where `allowSha1`. Never throws.
 */
export function verifySignature(
  signed: Signed,
  key: () => KeyObject,
  allowSha1: boolean,
): { readonly ok: boolean; readonly detail: string } {
  try {
    const scheme = schemeOf(signed.algorithm)
    if (scheme === undefined) return { ok: false, detail: `${signed.algorithm.oid} is no allowed algorithm` }
    const objection = objectionTo(scheme, key(), allowSha1)
    if (objection !== undefined) return { ok: false, detail: objection }
    return matches(signed, scheme, key())
      ? { ok: true, detail: scheme.name }
      : { ok: false, detail: `the ${scheme.name} signature does not verify` }
  } catch (error) {
    return { ok: false, detail: `the signature cannot be checked: ${(error as Error).message}` }
  }
}

function matches({ data, signature }: Signed, { hash, saltLength }: Scheme, key: KeyObject): boolean {
  if (saltLength === undefined) return verify(hash ?? null, data, key, signature)
  return verify(hash, data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }, signature)
}

function objectionTo({ name, keys, hash }: Scheme, key: KeyObject, allowSha1: boolean): string | undefined {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: details } = key
  if (hash === 'sha1' && !allowSha1) return `${name}: SHA-1 signatures are refused unless allowed`
  if (!keys.includes(type)) return `${name} does not go with a key of type ${type}`
  if (type === 'ec' && !CURVES.includes(details?.namedCurve ?? ''))
    return `the curve ${details?.namedCurve} is not allowed`
  const bits = details?.modulusLength
  if (bits !== undefined && bits < SMALLEST_RSA) return `an RSA key of ${bits} bits is too weak`
  return undefined
}

function schemeOf(algorithm: Algorithm): Scheme | undefined {
  if (algorithm.oid === PSS) return pssScheme(algorithm)
  return hasNoParameters(algorithm) ? SCHEMES[algorithm.oid] : undefined
}

/**
 * RSASSA-PSS-params (RFC 4055 §3.1): what is left out means SHA-1, MGF1 with SHA-1, a salt of 20 and trailer 1.
 * The mask must use the message's hash; any salt length is legal.
 */
function pssScheme({ parameters }: Algorithm): Scheme | undefined {
  if (parameters === undefined) return undefined
  const fields = sequenceOf(readDer(parameters, 'PSS parameters'), 'PSS parameters')
  const hash = fields.explicit(0, TAG.sequence, 'a hash')
  const mask = fields.explicit(1, TAG.sequence, 'a mask')
  const salt = fields.explicit(2, TAG.integer, 'a salt length')
  const trailer = fields.explicit(3, TAG.integer, 'a trailer')
  fields.end()
  const name = hash === undefined ? 'sha1' : HASHES[readAlgorithm(hash).oid]
  if (name === undefined || maskHash(mask) !== name) return undefined
  if (trailer !== undefined && smallInteger(trailer, 'a trailer') !== 1) return undefined
  return {
    name: `RSA-PSS with ${name.toUpperCase().replace('SHA', 'SHA-')}`,
    keys: ['rsa', 'rsa-pss'],
    hash: name,
    saltLength: salt === undefined ? 20 : smallInteger(salt, 'a salt length'),
  }
}

function maskHash(mask: Element | undefined): string | undefined {
  if (mask === undefined) return 'sha1'
  const { oid, parameters } = readAlgorithm(mask)
  if (oid !== MGF1 || parameters === undefined) return undefined
  const inner = readDer(parameters, 'the hash of a mask')
  return HASHES[dotted(new DerReader(inner, 'the hash of a mask').read(TAG.oid, 'a hash'))]
}
