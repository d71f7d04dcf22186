import { createHash } from 'node:crypto'

import { type Certificate, parseCertificate } from './certificate.ts'
import { type KeyUsage, OCSP_SIGNING } from './certificate-uses.ts'
import { describeName, sameName } from './name.ts'
import type { BasicResponse, ResponderId } from './response.ts'
import { verifySignature } from './signature.ts'
import { objectionToAuthority, type Subject } from './subject.ts'
import type { Signer } from './verdict.ts'

export interface Candidate {
  readonly kind: Signer['kind']
  readonly certificate: Certificate
  /** What verifying the response with this certificate's key said. */
  readonly signature: { readonly ok: boolean; readonly detail: string }
}

export interface Search {
  readonly signer: Candidate | undefined
  /** Why each certificate that claims to be the responder was turned away. */
  readonly refusals: readonly string[]
}

interface Terms {
  readonly now: Date
  /** Seconds. */
  readonly skew: number
  readonly allowSha1?: boolean
}

/** More certificates than any responder sends; each one costs a signature check. */
const MOST_CERTIFICATES = 16

/**
 * Who may have signed (RFC 6960 §4.2.2.2): the issuer itself, or a delegate that the issuer's
 * own key certified for this. Of several, the one whose key verifies the response. Never throws.
 */
export function findSigner(basic: BasicResponse, subject: Subject, terms: Terms): Search {
  const refusals: string[] = []
  let first: Candidate | undefined
  for (const { kind, certificate } of claimants(basic, subject, refusals)) {
    const objection = objectionTo(kind, certificate, subject, terms)
    if (objection !== undefined) {
      refusals.push(`${describeName(certificate.subject)}: ${objection}`)
      continue
    }
    const signature = verifySignature(basic.signed, certificate.publicKey, terms.allowSha1 ?? false)
    const candidate = { kind, certificate, signature }
    if (signature.ok) return { signer: candidate, refusals }
    first ??= candidate
  }
  return { signer: first, refusals }
}

type Claimant = Pick<Candidate, 'kind' | 'certificate'>

/** Certificates that the responderID names, the cheap and the trusted one first. */
function* claimants(
  { responder, certificates }: BasicResponse,
  { issuer }: Subject,
  refusals: string[],
): Generator<Claimant> {
  if (isNamed(responder, issuer)) yield { kind: 'issuer', certificate: issuer }
  for (const der of certificates.slice(0, MOST_CERTIFICATES)) {
    const certificate = parseOrRefuse(der, refusals)
    if (certificate !== undefined && isNamed(responder, certificate)) yield { kind: 'delegate', certificate }
  }
}

function parseOrRefuse(der: Uint8Array, refusals: string[]): Certificate | undefined {
  try {
    return parseCertificate(der)
  } catch (error) {
    refusals.push(`a certificate sent along cannot be read: ${(error as Error).message}`)
    return undefined
  }
}

/** RFC 6960 §4.2.1: byKey is the SHA-1 of the key's bits, whatever hash the CertID has. */
function isNamed(responder: ResponderId, certificate: Certificate): boolean {
  if (responder.by === 'name') return sameName(responder.name, certificate.subject)
  return createHash('sha1').update(certificate.keyBits).digest().equals(responder.sha1)
}

function objectionTo(
  kind: Candidate['kind'],
  certificate: Certificate,
  { issuer }: Subject,
  terms: Terms,
): string | undefined {
  if (kind === 'issuer') return undefined
  return (
    objectionToUse(certificate) ??
    objectionToOrigin(certificate, issuer, terms) ??
    objectionToDates(certificate, terms)
  )
}

/** RFC 5280 §4.2.1.12: either goes with OCSPSigning. */
const SIGNING: readonly KeyUsage[] = ['digitalSignature', 'nonRepudiation']

/** RFC 6960 §4.2.2.2: the purpose must stand there by itself; anyExtendedKeyUsage is not it. */
function objectionToUse({ keyPurposes, keyUsages, unknownCritical }: Certificate): string | undefined {
  if (!(keyPurposes ?? []).includes(OCSP_SIGNING)) return 'its extended key usage lacks OCSPSigning'
  if (keyUsages?.some((usage) => SIGNING.includes(usage)) === false)
    return 'its key usage has neither digitalSignature nor nonRepudiation'
  const [unknown] = unknownCritical
  return unknown === undefined ? undefined : `it has the unknown critical extension ${unknown}`
}

/** RFC 6960 §4.2.2.2: issued directly by the CA that issued the certificate in question, with the same key. */
function objectionToOrigin(
  certificate: Certificate,
  issuer: Certificate,
  { allowSha1 }: Terms,
): string | undefined {
  const objection = objectionToAuthority(certificate, issuer)
  if (objection !== undefined) return objection
  const { ok, detail } = verifySignature(certificate.signed, issuer.publicKey, allowSha1 ?? false)
  return ok ? undefined : `the issuer's signature on it: ${detail}`
}

function objectionToDates({ notBefore, notAfter }: Certificate, { now, skew }: Terms): string | undefined {
  if (notBefore.getTime() > now.getTime() + skew * 1000)
    return `it is not valid before ${notBefore.toISOString()}`
  return notAfter.getTime() < now.getTime() ? `it expired at ${notAfter.toISOString()}` : undefined
}
