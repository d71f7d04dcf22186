import { type CertId, certIdOf } from './cert-id.ts'
import type { Certificate } from './certificate.ts'
import { describeName, sameName } from './name.ts'
import { HASHES } from './signature.ts'

/** A certificate with its issuer, prepared once: what every response about it is judged against. */
export interface Subject {
  readonly certificate: Certificate
  readonly issuer: Certificate
  /** The certificate's CertIDs by the hash's OID. */
  readonly certIds: ReadonlyMap<string, CertId>
  /** Why `issuer` is not this certificate's issuer; `undefined` where it is. */
  readonly objection: string | undefined
}

/** Does not throw: an issuer that did not issue the certificate is a fact the validation reports (V16). */
export function prepareSubject(certificate: Certificate, issuer: Certificate): Subject {
  const ids = Object.keys(HASHES).map(
    (hash) => [hash, certIdOf(certificate, issuer, hash) as CertId] as const,
  )
  return { certificate, issuer, certIds: new Map(ids), objection: objectionToIssuer(certificate, issuer) }
}

/** Why `issuer` did not issue `certificate`: by what it is, then by the signature itself. Does not throw. */
export function objectionToIssuer(certificate: Certificate, issuer: Certificate): string | undefined {
  const objection = objectionToAuthority(certificate, issuer)
  if (objection !== undefined) return objection
  return certificate.isSignedBy(issuer.publicKey)
    ? undefined
    : "the issuer's key does not verify its signature"
}

/**
 * By name and key usage (RFC 5280 §6.1.3 (a)(4), §6.1.4 (n)). An authority key identifier is a hint for building a
 * path (§4.2.1.1), and outlives the CA certificate whose serial it names: the key decides.
 */
export function objectionToAuthority(certificate: Certificate, issuer: Certificate): string | undefined {
  if (!sameName(certificate.issuer, issuer.subject))
    return `its issuer is ${describeName(certificate.issuer)}, not ${describeName(issuer.subject)}`
  const mayCertify = issuer.keyUsages?.includes('keyCertSign') ?? true
  return mayCertify ? undefined : "the issuer's key usage lacks keyCertSign"
}

/**
 * Finds who issued `certificate`: one of `anchors`, or one of `chain` that leads up to an anchor in turn.
 * By name and signature, never by position; of several certificates of one CA as {@link fittest} says.
 */
export function findIssuer(
  certificate: Certificate,
  anchors: readonly Certificate[],
  chain: readonly Certificate[] = [],
  now?: Date,
): Certificate | undefined {
  const authorities = [...anchors, ...leadingTo(anchors, chain)]
  return fittest(
    authorities.filter((each) => hasIssued(each, certificate)),
    now,
  )
}

/** Which of the certificates after it the first one of a chain issued: the server's own is to come first. */
export function issuedByFirst(first: Certificate, others: readonly Certificate[]): Certificate | undefined {
  if (!first.isAuthority) return undefined
  return others.find((each) => Buffer.compare(each.der, first.der) !== 0 && hasIssued(first, each))
}

/** Certificates of the chain that lead up to an anchor, each looked at once by each of the others. */
function leadingTo(anchors: readonly Certificate[], chain: readonly Certificate[]): readonly Certificate[] {
  const led = chain.filter((each) => anchors.some((anchor) => hasIssued(anchor, each)))
  const rest = chain.filter((each) => !led.includes(each))
  return led.length === 0 ? [] : [...led, ...leadingTo(led, rest)]
}

function hasIssued(issuer: Certificate, certificate: Certificate): boolean {
  return objectionToIssuer(certificate, issuer) === undefined
}

/** Of a CA's certificates with one key, renewed or cross-signed: one within its dates, else the latest to end. */
export function fittest(issuers: readonly Certificate[], now?: Date): Certificate | undefined {
  const rank = (issuer: Certificate) => (now !== undefined && isWithinDates(issuer, now) ? 1 : 0)
  return issuers.toSorted(
    (one, other) => rank(other) - rank(one) || other.notAfter.getTime() - one.notAfter.getTime(),
  )[0]
}

export function isWithinDates({ notBefore, notAfter }: Certificate, now: Date): boolean {
  return notBefore <= now && now <= notAfter
}
