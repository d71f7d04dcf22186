import { differences } from './cert-id.ts'
import type { BasicResponse, CertificateStatus, OcspResponse, SingleResponse } from './response.ts'
import { type Candidate, findSigner, type Search } from './signer.ts'
import type { Subject } from './subject.ts'

/** What the HTTP exchange said. `length` is the body's, in bytes. */
export interface Transport {
  readonly status: number
  readonly contentType: string | undefined
  readonly length: number
}

/** How to judge. Durations in seconds. */
export interface Options {
  readonly now: Date
  /** When we held the response, where that is later than `now`: a judge of the past holds what was yet to come. */
  readonly heldAt?: Date
  /** SHA-1 as the hash of a signature; as that of a CertID it is always allowed. */
  readonly allowSha1?: boolean
  /** How long a response without nextUpdate counts from its thisUpdate; without it such a response is refused. */
  readonly maxAge?: number
  /** How far the responder's clock may be ahead of ours. */
  readonly skew?: number
  /** The HTTP exchange, where there was one. */
  readonly transport?: Transport
  /** thisUpdate of the response that is stored already. */
  readonly stored?: Date
}

/** Everything the rules look at, found once. */
export interface ValidationContext {
  readonly subject: Subject
  readonly options: Options
  readonly now: Date
  /** Milliseconds. */
  readonly skew: number
  readonly response: OcspResponse
  readonly basic: BasicResponse
  /** SingleResponses about our certificate. */
  readonly ours: readonly SingleResponse[]
  /** The one that counts: of several, the worst. */
  readonly single: SingleResponse | undefined
  readonly search: Search
  readonly signer: Candidate | undefined
}

/** Seconds; OpenSSL, HAProxy, nginx, ATS and certbot all allow this. */
export const USUAL_SKEW = 300

export function contextOf(
  response: OcspResponse,
  basic: BasicResponse,
  subject: Subject,
  options: Options,
): ValidationContext {
  const ours = basic.singles.filter((single) => isAbout(single, subject))
  const { now, skew = USUAL_SKEW } = options
  const search = findSigner(basic, subject, { ...options, skew })
  return {
    subject,
    options,
    now,
    skew: skew * 1000,
    response,
    basic,
    ours,
    single: worst(ours),
    search,
    signer: search.signer,
  }
}

/** End of a response's own word: nextUpdate, or what the owner allows where there is none. */
export function statedEnd({ thisUpdate, nextUpdate }: SingleResponse, { maxAge }: Options): Date | undefined {
  if (nextUpdate !== undefined) return nextUpdate
  return maxAge === undefined ? undefined : new Date(thisUpdate.getTime() + maxAge * 1000)
}

function isAbout({ certId }: SingleResponse, { certIds }: Subject): boolean {
  const own = certIds.get(certId.hash)
  return own !== undefined && differences(certId, own).length === 0
}

const BADNESS: Readonly<Record<CertificateStatus['kind'], number>> = { revoked: 2, unknown: 1, good: 0 }

function worst(singles: readonly SingleResponse[]): SingleResponse | undefined {
  return singles.toSorted((one, other) => BADNESS[other.status.kind] - BADNESS[one.status.kind])[0]
}
