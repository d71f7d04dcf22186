import type { Certificate } from '../../lambda/ocsp/certificate.ts'
import { describeName } from '../../lambda/ocsp/name.ts'
import { prepareSubject } from '../../lambda/ocsp/subject.ts'
import { type Options, validateResponse } from '../../lambda/ocsp/validation.ts'
import { brokenRules, type Verdict } from '../../lambda/ocsp/verdict.ts'
import {
  certify,
  DIGITAL_SIGNATURE,
  ecPair,
  edPair,
  extension,
  NO_CHECK,
  NULL,
  OCSP_SIGNING,
  type Pair,
  type Party,
  purposes,
  type ResponseSpec,
  respond,
  rsaPair,
  SCHEMES,
  type Scheme,
} from './forge.ts'

// OpenSSL judges dates by the machine's clock, so this is the one place where ours is that clock too.
export const NOW = new Date(Math.floor(Date.now() / 1000) * 1000)
export const at = (hours: number) => new Date(NOW.getTime() + hours * 3_600_000)

/** One trust group: an authority with a certificate of its own and a delegate. */
export interface Group {
  readonly issuer: Party
  readonly leaf: Certificate
  readonly delegate: Party
  readonly sibling: Party
}

export function group(commonName: string, pair: Pair, scheme: Scheme, delegatePair: Pair): Group {
  const issuer = certify(NOW, { subject: commonName, pair, scheme, serial: Buffer.of(1) })
  const leaf = certify(NOW, { subject: 'leaf', extensions: [] }, issuer).certificate
  const delegate = { subject: 'delegate', pair: delegatePair, scheme, serial: Buffer.of(2) }
  const uses = [purposes(OCSP_SIGNING), NO_CHECK, DIGITAL_SIGNATURE]
  return {
    issuer,
    leaf,
    delegate: certify(NOW, { ...delegate, extensions: uses }, issuer),
    sibling: certify(NOW, { ...delegate, subject: 'sibling', extensions: [purposes(SERVER_AUTH)] }, issuer),
  }
}

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
export const ANY_PURPOSE = '2.5.29.37.0'
export const UNHEARD_OF = '1.3.6.1.4.1.99999.1'
export const UNHEARD_CRITICAL = extension(UNHEARD_OF, NULL, true)

const rsa = rsaPair(2048)
export const GROUPS: Record<string, Group> = {
  RSA: group('RSA CA', rsa, SCHEMES.rsa, rsaPair(2048)),
  'RSA-PSS': group('PSS CA', rsa, SCHEMES.pss, rsaPair(2048)),
  'P-256': group('P-256 CA', ecPair('prime256v1'), SCHEMES.p256, ecPair('prime256v1')),
  'P-384': group('P-384 CA', ecPair('secp384r1'), SCHEMES.p384, ecPair('secp384r1')),
  Ed25519: group('Ed25519 CA', edPair(), SCHEMES.ed25519, edPair()),
}
export const P256 = GROUPS['P-256'] as Group
export const RSA = GROUPS.RSA as Group
export const STRANGER = group('another CA', ecPair('prime256v1'), SCHEMES.p256, ecPair('prime256v1'))

export const byDelegateWith = (spec: Parameters<typeof certify>[1]) => (from: Group) =>
  certify(
    NOW,
    { subject: 'delegate', serial: Buffer.of(3), extensions: [purposes(OCSP_SIGNING), NO_CHECK], ...spec },
    from.issuer,
  )

/** What is sent, and who signs it: the issuer, soundly, unless told otherwise. */
export interface Made {
  readonly spec?: ResponseSpec | ((from: Group) => ResponseSpec)
  readonly signer?: (from: Group) => Party
}

export const commonNameOf = ({ certificate }: Party) => describeName(certificate.subject).replace('CN=', '')
const byIssuer = (from: Group) => from.issuer

export function build(from: Group, { spec = {}, signer = byIssuer }: Made): Buffer {
  return respond(
    NOW,
    from.leaf,
    from.issuer.certificate,
    signer(from),
    typeof spec === 'function' ? spec(from) : spec,
  )
}

export function judge(from: Group, response: Uint8Array, options: Partial<Options> = {}): Verdict {
  return validateResponse(response, prepareSubject(from.leaf, from.issuer.certificate), {
    now: NOW,
    ...options,
  })
}

export const broken = (verdict: Verdict) => brokenRules(verdict).map(({ rule }) => rule)
