import { contextTag, TAG } from '../../lambda/ocsp/der-element.ts'
import { encode, encodeExplicit, encodeOctets } from '../../lambda/ocsp/der-writer.ts'
import type { Options } from '../../lambda/ocsp/validation.ts'
import type { Rule, Verdict } from '../../lambda/ocsp/verdict.ts'
import {
  certify,
  extension,
  integer,
  KEY_ENCIPHERMENT,
  NULL,
  name,
  OCSP_SIGNING,
  purposes,
  rawTime,
  revoked,
  SHA256,
  type SingleSpec,
  UNKNOWN,
} from './forge.ts'
import {
  ANY_PURPOSE,
  at,
  byDelegateWith,
  commonNameOf,
  type Group,
  type Made,
  NOW,
  STRANGER,
  UNHEARD_CRITICAL,
  UNHEARD_OF,
} from './groups.ts'

export interface Case extends Made {
  readonly what: string
  readonly verdict: Verdict['verdict']
  readonly broken?: readonly Rule[]
  readonly options?: Partial<Options>
  /** Hash of the CertID that OpenSSL looks for. */
  readonly hash?: 'sha1' | 'sha256'
  /** What OpenSSL says where it does not say the same, and by which rule we differ. */
  readonly openssl?: { readonly says: string; readonly because: string }
}

export const byDelegate = (from: Group) => from.delegate
const doesNotLook = (at: string) => ({ says: 'good', because: `OpenSSL does not look at ${at}` })

const SHA256_BENT: readonly SingleSpec[] = [
  { issuerNameHash: Buffer.alloc(32, 7) },
  { issuerKeyHash: Buffer.alloc(32, 7) },
  { serial: Buffer.of(0x11, 0x23) },
]

export const CASES: readonly Case[] = [
  { what: 'sound, by the issuer', verdict: 'good' },
  { what: 'sound, by the issuer, by name', spec: { responder: 'name' }, verdict: 'good' },
  { what: 'sound, by a delegate', signer: byDelegate, verdict: 'good' },
  { what: 'sound, by a delegate, by name', signer: byDelegate, spec: { responder: 'name' }, verdict: 'good' },
  {
    what: 'sound, under SHA-256',
    spec: { singles: [{ hash: SHA256 }] },
    hash: 'sha256',
    verdict: 'good',
  },
  { what: 'version 1 spelt out', spec: { version: integer(0) }, verdict: 'good' },
  {
    what: 'a CertID without NULL parameters',
    spec: { singles: [{ nullParameters: false }] },
    verdict: 'good',
  },
  {
    what: 'an unknown extension that is not critical',
    spec: {
      extensions: [extension(UNHEARD_OF, NULL)],
      singles: [{ extensions: [extension(UNHEARD_OF, NULL)] }],
    },
    verdict: 'good',
  },
  {
    what: 'critical certificate timestamps, which change nothing',
    spec: {
      singles: [{ extensions: [extension('1.3.6.1.4.1.11129.2.4.5', encodeOctets(Buffer.of(0, 0)), true)] }],
    },
    verdict: 'good',
  },
  {
    what: 'a second status, about another certificate',
    spec: { singles: [{}, { serial: Buffer.of(9) }] },
    verdict: 'good',
  },
  {
    what: 'certificates that were not asked for',
    spec: { certificates: [STRANGER.leaf.der] },
    verdict: 'good',
  },

  // V2, V3: form
  {
    what: 'trailing bytes',
    spec: { afterAll: Buffer.of(0) },
    verdict: 'refused',
    broken: ['V2'],
    openssl: doesNotLook('what follows'),
  },
  {
    what: 'trailing bytes inside',
    spec: { afterBasic: Buffer.of(5, 0) },
    verdict: 'refused',
    broken: ['V2'],
    openssl: doesNotLook('what follows inside'),
  },
  {
    what: 'version 2',
    spec: { version: integer(1) },
    verdict: 'refused',
    broken: ['V2'],
    openssl: doesNotLook('the version'),
  },
  {
    what: 'a time with a fraction',
    spec: { producedAt: rawTime('20260101000000.5Z') },
    verdict: 'refused',
    broken: ['V2'],
    openssl: doesNotLook('the form of producedAt'),
  },
  {
    what: 'a time without seconds',
    spec: { singles: [{ thisUpdate: rawTime('202601010000Z') }] },
    verdict: 'refused',
    broken: ['V2'],
    openssl: doesNotLook('the form of thisUpdate'),
  },
  {
    what: 'a time that does not exist',
    spec: { singles: [{ thisUpdate: rawTime('20260230000000Z') }] },
    verdict: 'refused',
    broken: ['V2'],
  },
  {
    what: 'a serial of 65 octets',
    spec: { singles: [{ serial: Buffer.alloc(65, 1) }] },
    verdict: 'refused',
    broken: ['V2'],
  },
  {
    what: 'a serial that is not minimal',
    spec: { singles: [{ serial: Buffer.of(0, 0x11, 0x22) }] },
    verdict: 'refused',
    broken: ['V2'],
  },
  {
    what: 'good with content',
    spec: { singles: [{ status: encode(contextTag(0, 'primitive'), Buffer.of(0)) }] },
    verdict: 'refused',
    broken: ['V2'],
  },
  {
    what: 'a status that does not exist',
    spec: { singles: [{ status: encode(contextTag(3, 'primitive')) }] },
    verdict: 'refused',
    broken: ['V2'],
  },
  { what: 'another response type', spec: { type: UNHEARD_OF }, verdict: 'refused', broken: ['V3'] },
  ...[1, 2, 3, 4, 5, 6, 17].map((status) => ({
    what: `responder status ${status}`,
    spec: { responderStatus: encode(TAG.enumerated, Buffer.of(status)) },
    verdict: 'refused' as const,
    broken: ['V3'] as const,
  })),

  // V4, V5: which certificate
  { what: 'an empty list', spec: { singles: [] }, verdict: 'refused', broken: ['V4'] },
  {
    what: 'another issuerNameHash',
    spec: { singles: [{ issuerNameHash: Buffer.alloc(20, 7) }] },
    verdict: 'refused',
    broken: ['V4'],
  },
  {
    what: 'another issuerKeyHash',
    spec: { singles: [{ issuerKeyHash: Buffer.alloc(20, 7) }] },
    verdict: 'refused',
    broken: ['V4'],
  },
  {
    what: 'another serial',
    spec: { singles: [{ serial: Buffer.of(0x11, 0x23) }] },
    verdict: 'refused',
    broken: ['V4'],
  },
  ...SHA256_BENT.map((bent) => ({
    what: `another ${Object.keys(bent)[0]} under SHA-256`,
    spec: { singles: [{ hash: SHA256, ...bent }] },
    hash: 'sha256' as const,
    verdict: 'refused' as const,
    broken: ['V4'] as const,
  })),
  {
    what: 'the right hashes under another algorithm',
    spec: { singles: [{ hash: UNHEARD_OF }] },
    verdict: 'refused',
    broken: ['V4'],
  },
  {
    what: 'good, then revoked',
    spec: { singles: [{}, { status: revoked(at(-2), 1) }] },
    verdict: 'revoked',
    broken: ['V15'],
    openssl: { says: 'good', because: 'V5: OpenSSL takes the first' },
  },
  {
    what: 'unknown, then good',
    spec: { singles: [{ status: UNKNOWN }, {}] },
    verdict: 'unknown',
    broken: ['V15'],
  },
  {
    what: 'good, then unknown under SHA-256',
    spec: { singles: [{}, { status: UNKNOWN, hash: SHA256 }] },
    verdict: 'unknown',
    broken: ['V15'],
    openssl: { says: 'good', because: 'V5: OpenSSL takes the first' },
  },
  {
    what: 'a fresh one and a stale one',
    spec: { singles: [{}, { thisUpdate: at(-9), nextUpdate: at(-1) }] },
    verdict: 'refused',
    broken: ['V12'],
    openssl: { says: 'good', because: 'V5: OpenSSL takes the first' },
  },

  // V6, V7: who signed
  { what: 'a sibling for a web server', signer: (from) => from.sibling, verdict: 'refused', broken: ['V6'] },
  {
    what: 'anyExtendedKeyUsage',
    signer: byDelegateWith({ extensions: [purposes(ANY_PURPOSE)] }),
    verdict: 'refused',
    broken: ['V6'],
  },
  {
    what: 'a delegate without any purpose',
    signer: byDelegateWith({ extensions: [] }),
    verdict: 'refused',
    broken: ['V6'],
  },
  { what: 'a delegate of another CA', signer: () => STRANGER.delegate, verdict: 'refused', broken: ['V6'] },
  {
    what: 'a delegate of a CA that has taken the same name',
    signer: (from) => {
      const subject = commonNameOf(from.issuer)
      return byDelegateWith({})({ ...from, issuer: certify(NOW, { subject, serial: Buffer.of(1) }) })
    },
    verdict: 'refused',
    broken: ['V6'],
  },
  {
    what: 'a delegate certified with the same key under another name',
    signer: (from) => {
      const renamed = certify(NOW, { ...from.issuer, subject: 'renamed', serial: Buffer.of(1) })
      return byDelegateWith({})({ ...from, issuer: renamed })
    },
    verdict: 'refused',
    broken: ['V6'],
  },
  {
    what: 'a delegate of a delegate',
    signer: (from) => byDelegateWith({})({ ...from, issuer: from.delegate }),
    spec: (from) => ({
      certificates: [
        byDelegateWith({})({ ...from, issuer: from.delegate }).certificate.der,
        from.delegate.certificate.der,
      ],
    }),
    verdict: 'refused',
    broken: ['V6'],
  },
  {
    what: 'an expired delegate',
    signer: byDelegateWith({ from: at(-99), to: at(-0.01) }),
    verdict: 'refused',
    broken: ['V6'],
  },
  {
    what: 'a delegate whose time is to come',
    signer: byDelegateWith({ from: at(1), to: at(99) }),
    verdict: 'refused',
    broken: ['V6'],
  },
  {
    what: 'a delegate whose key must not sign',
    signer: byDelegateWith({ extensions: [purposes(OCSP_SIGNING), KEY_ENCIPHERMENT] }),
    verdict: 'refused',
    broken: ['V6'],
    openssl: doesNotLook("a delegate's key usage"),
  },
  {
    what: 'a delegate with an unknown critical extension',
    signer: byDelegateWith({ extensions: [purposes(OCSP_SIGNING), UNHEARD_CRITICAL] }),
    verdict: 'refused',
    broken: ['V6'],
  },
  {
    what: 'a delegate that was not sent along',
    signer: byDelegate,
    spec: { certificates: [STRANGER.leaf.der] },
    verdict: 'refused',
    broken: ['V6'],
  },
  {
    what: 'a delegate without nocheck',
    signer: byDelegateWith({ extensions: [purposes(OCSP_SIGNING)] }),
    verdict: 'good',
  },
  {
    what: "another key's hash as responder",
    spec: { responder: encodeExplicit(2, encodeOctets(Buffer.alloc(20, 3))) },
    verdict: 'refused',
    broken: ['V6'],
  },
  {
    what: 'another name as responder',
    spec: { responder: encodeExplicit(1, name('an absent CA')) },
    verdict: 'refused',
    broken: ['V6'],
  },
  {
    what: 'the name of the issuer in another case',
    spec: (from) => ({
      responder: encodeExplicit(1, name(`  ${commonNameOf(from.issuer).toUpperCase()}`)),
    }),
    verdict: 'good',
  },

  // V8: signature
  {
    what: 'a signature with one bit turned',
    spec: (from) => ({
      signatureOver: (data) => {
        const signature = from.issuer.scheme.sign(data, from.issuer.pair.privateKey)
        signature[signature.length - 1] = (signature[signature.length - 1] as number) ^ 1
        return signature
      },
    }),
    verdict: 'refused',
    broken: ['V8'],
  },
  {
    what: 'no signature',
    spec: { signatureOver: () => Buffer.alloc(0) },
    verdict: 'refused',
    broken: ['V8'],
  },
  {
    what: "a sibling's signature in the issuer's name",
    spec: (from) => ({
      signatureOver: (data) => from.sibling.scheme.sign(data, from.sibling.pair.privateKey),
    }),
    verdict: 'refused',
    broken: ['V8'],
  },

  // V9, V10: extensions
  {
    what: 'an unknown critical extension of the response',
    spec: { extensions: [UNHEARD_CRITICAL] },
    verdict: 'refused',
    broken: ['V9'],
    openssl: doesNotLook('critical extensions'),
  },
  {
    what: 'an unknown critical extension of the status',
    spec: { singles: [{ extensions: [UNHEARD_CRITICAL] }] },
    verdict: 'refused',
    broken: ['V9'],
    openssl: doesNotLook('critical extensions'),
  },
  {
    what: "an unknown critical extension of another certificate's status",
    spec: { singles: [{}, { serial: Buffer.of(9), extensions: [UNHEARD_CRITICAL] }] },
    verdict: 'good',
  },

  // V11 to V14: times
  {
    what: 'no nextUpdate',
    spec: { singles: [{ nextUpdate: 'none' }] },
    verdict: 'refused',
    broken: ['V11'],
    openssl: { says: 'good', because: 'V11: OpenSSL takes it for ever' },
  },
  {
    what: 'no nextUpdate, where that may last',
    spec: { singles: [{ nextUpdate: 'none' }] },
    options: { maxAge: 7200 },
    verdict: 'good',
  },
  {
    what: 'no nextUpdate, and older than that may last',
    spec: { singles: [{ nextUpdate: 'none' }] },
    options: { maxAge: 1800 },
    verdict: 'refused',
    broken: ['V12'],
    openssl: { says: 'good', because: 'V11: OpenSSL takes it for ever' },
  },
  {
    what: 'stale for an hour',
    spec: { singles: [{ thisUpdate: at(-9), nextUpdate: at(-1) }] },
    verdict: 'refused',
    broken: ['V12'],
  },
  {
    what: 'stale for a minute',
    spec: { singles: [{ nextUpdate: at(-1 / 60) }] },
    verdict: 'refused',
    broken: ['V12'],
    openssl: { says: 'good', because: 'V12: OpenSSL lets nextUpdate pass by 300 s' },
  },
  {
    what: 'an hour from the future',
    spec: { singles: [{ thisUpdate: at(1) }] },
    verdict: 'refused',
    broken: ['V12'],
  },
  { what: 'four minutes from the future', spec: { singles: [{ thisUpdate: at(4 / 60) }] }, verdict: 'good' },
  {
    what: 'nextUpdate before thisUpdate',
    spec: { singles: [{ thisUpdate: at(4 / 60), nextUpdate: at(2 / 60) }] },
    verdict: 'refused',
    broken: ['V12'],
  },
  {
    what: 'produced an hour from now',
    spec: { producedAt: at(1) },
    verdict: 'refused',
    broken: ['V12'],
    openssl: doesNotLook('producedAt'),
  },
  {
    what: 'produced before the certificate',
    spec: { producedAt: at(-31 * 24) },
    verdict: 'refused',
    broken: ['V12'],
    openssl: doesNotLook('producedAt'),
  },

  // V15: status
  { what: 'revoked', spec: { singles: [{ status: revoked(at(-5)) }] }, verdict: 'revoked', broken: ['V15'] },
  {
    what: 'revoked with a reason',
    spec: { singles: [{ status: revoked(at(-5), 1) }] },
    verdict: 'revoked',
    broken: ['V15'],
  },
  { what: 'unknown', spec: { singles: [{ status: UNKNOWN }] }, verdict: 'unknown', broken: ['V15'] },
]

/** The cases that do not turn on who signs, signed by a delegate. */
export const DELEGATED_CASES: readonly Case[] = CASES.filter(
  ({ signer, spec }) =>
    signer === undefined && typeof spec !== 'function' && spec?.certificates === undefined,
).map((bent) => ({ ...bent, signer: byDelegate }))
