import { type CertId, certIdOf } from './cert-id.ts'
import type { Certificate } from './certificate.ts'
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

/** Why `issuer` did not issue `certificate`: by name, key identifier and key usage, then by the signature itself. */
export function objectionToIssuer(certificate: Certificate, issuer: Certificate): string | undefined {
  if (!certificate.x509.checkIssued(issuer.x509))
    return 'name, key identifier or key usage of the issuer do not fit'
  return isSignedBy(certificate, issuer) ? undefined : "the issuer's key does not verify its signature"
}

/**
 * Finds who issued `certificate`: one of `anchors`, or one of `chain` that leads up to an anchor in turn.
 * By name, key identifier and signature, never by position.
 */
export function findIssuer(
  certificate: Certificate,
  anchors: readonly Certificate[],
  chain: readonly Certificate[] = [],
): Certificate | undefined {
  const issued = (candidate: Certificate) => objectionToIssuer(certificate, candidate) === undefined
  const anchor = anchors.find(issued)
  if (anchor !== undefined) return anchor
  return chain.find((candidate) => {
    // Without the candidate itself, so that certificates which issued each other come to an end.
    const others = chain.filter((each) => each !== candidate)
    return issued(candidate) && findIssuer(candidate, anchors, others) !== undefined
  })
}

function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  try {
    return certificate.x509.verify(issuer.publicKey())
  } catch {
    return false
  }
}
