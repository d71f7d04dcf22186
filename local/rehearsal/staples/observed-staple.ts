import { parseCertificates } from '../../../lambda/ocsp/pem.ts'
import { prepareSubject, type Subject } from '../../../lambda/ocsp/subject.ts'
import { validateResponse } from '../../../lambda/ocsp/validation.ts'
import { brokenRules } from '../../../lambda/ocsp/verdict.ts'

/** What a client that asked for a staple was given. `refused` is one that no client may believe. */
export const STAPLE_OUTCOMES = ['good', 'missing', 'expired', 'revoked', 'refused'] as const
export type StapleOutcome = (typeof STAPLE_OUTCOMES)[number]

/** A staple as a client judges it. */
interface Sighting {
  readonly outcome: StapleOutcome
  /** ms; of a response that is good or revoked. */
  readonly thisUpdate?: number
  /** Of a refused one: the rules it breaks. */
  readonly why?: string
}

/** What staples of a certificate are judged against. @param chain PEM: the certificate, then its issuer. */
export function subjectOfChain(chain: string): Subject {
  const [certificate, issuer] = parseCertificates(Buffer.from(chain))
  if (issuer === undefined) throw new RangeError('a chain without the issuer')
  return prepareSubject(certificate, issuer)
}

/** Judges what came by every rule, as the strictest of clients would. */
export function judgeSighting(staple: Uint8Array | undefined, subject: Subject, now: Date): Sighting {
  if (staple === undefined) return { outcome: 'missing' }
  const verdict = validateResponse(staple, subject, { now })
  const { nextUpdate, thisUpdate } = verdict
  if (nextUpdate !== undefined && nextUpdate <= now) return { outcome: 'expired' }
  const isSound = verdict.verdict === 'good' || verdict.verdict === 'revoked'
  if (isSound && thisUpdate !== undefined)
    return { outcome: verdict.verdict, thisUpdate: thisUpdate.getTime() } as Sighting
  const broken = brokenRules(verdict).map(({ rule, detail }) => `${rule}: ${detail}`)
  return { outcome: 'refused', why: broken.join('; ') || `the status is ${verdict.verdict}` }
}

/** What a certificate's staple may be, in one phase of the scenario. */
export interface Expectation {
  readonly outcomes: readonly StapleOutcome[]
  /** ms; an older response, though still sound, is one that should be gone. */
  readonly since?: number
}

/** A phase of the scenario: what happens to the responder and the certificates, and what clients may then be given. */
export interface StaplePhase {
  readonly name: string
  /** By name of the certificate. */
  readonly expected: Readonly<Record<string, Expectation>>
}

/** Why a sighting is not what the phase allows; undefined where it is. */
export function objectionTo(sighting: Sighting, expectation: Expectation | undefined): string | undefined {
  const { outcome, thisUpdate, why } = sighting
  const { outcomes, since = 0 } = expectation ?? { outcomes: [] }
  if (!outcomes.includes(outcome))
    return `${outcome}${why === undefined ? '' : ` (${why})`}, not ${outcomes.join(' or ')}`
  if (thisUpdate === undefined || thisUpdate >= since) return undefined
  return `${outcome}, but of ${new Date(thisUpdate).toISOString()}, before ${new Date(since).toISOString()}`
}
