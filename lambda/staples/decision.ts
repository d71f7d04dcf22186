import { CLOSEST, type Life, mustWithdraw } from '../ocsp/schedule.ts'
import type { CertificateSetting, StapleTiming } from './configuration.ts'
import type { StapleEntry } from './entry.ts'

/** One certificate of the set, as it is now. */
export interface Candidate {
  readonly setting: CertificateSetting
  /** Responders to ask: the owner's, else those that the certificate names. */
  readonly urls: readonly string[]
  readonly notAfter: Date
  readonly mustStaple: boolean
  readonly entry?: StapleEntry
}

export interface Moment {
  readonly now: Date
  readonly timing: StapleTiming
  /**
   * `forced` by hand: due or not, and however lately it was asked, since an operator who has mended a responder wants to
   * know at once. `over` once this run has asked, or has no time left to.
   */
  readonly asking: 'due' | 'forced' | 'over'
}

/** What to do about one certificate, and why, in a sentence for the operator. */
export interface StapleDecision {
  readonly action: 'fetch' | 'keep' | 'withdraw' | 'none'
  readonly reason: string
}

/** Seconds from a decision to the machines: the wait for the next run, and a delivery. */
export function leadOf({ tick, delivery, execution }: StapleTiming): number {
  return tick + delivery + execution
}

/** Decides what a certificate needs. Called again, with asking `over`, after it was asked about. */
export function decideStaple(candidate: Candidate, moment: Moment): StapleDecision {
  return (
    leftByHand(candidate, moment) ??
    expired(candidate, moment) ??
    dueFetch(candidate, moment) ??
    lastTry(candidate, moment) ??
    ending(candidate, moment) ??
    resting(candidate)
  )
}

function leftByHand({ entry }: Candidate, { asking }: Moment): StapleDecision | undefined {
  if (entry?.byHand !== true || asking === 'forced') return undefined
  return { action: 'keep', reason: 'withdrawn by hand: a refresh by its name, with force, puts it back' }
}

function expired({ notAfter, entry }: Candidate, { now }: Moment): StapleDecision | undefined {
  if (notAfter > now) return undefined
  const action = entry?.state === 'staple' ? 'withdraw' : 'none'
  return { action, reason: `the certificate expired at ${notAfter.toISOString()}` }
}

function dueFetch({ urls, entry }: Candidate, { now, asking }: Moment): StapleDecision | undefined {
  if (asking === 'over' || urls.length === 0) return undefined
  if (asking === 'forced') return { action: 'fetch', reason: 'asked for by hand' }
  const due = entry?.nextTry
  if (due === undefined) return { action: 'fetch', reason: 'never asked for before' }
  return now < due ? undefined : { action: 'fetch', reason: `due since ${due.toISOString()}` }
}

/** Nothing is withdrawn without the responder having had its chance. */
function lastTry(candidate: Candidate, moment: Moment): StapleDecision | undefined {
  const { urls, entry } = candidate
  if (moment.asking === 'over' || urls.length === 0 || ending(candidate, moment) === undefined)
    return undefined
  const last = Math.max(entry?.lastFailure?.at.getTime() ?? 0, entry?.response?.fetchedAt.getTime() ?? 0)
  if (moment.now.getTime() < last + CLOSEST * 1000) return undefined
  return { action: 'fetch', reason: 'one last try before it is withdrawn' }
}

/**
 * S4: nginx would serve it for ever, so it goes while it is still valid: in time for every machine or, where the owner
 * wants it kept to its end, at the last run before that.
 */
function ending(
  { entry, setting, mustStaple }: Candidate,
  { now, timing }: Moment,
): StapleDecision | undefined {
  const life = lifeOf(entry)
  if (entry?.state !== 'staple' || life === undefined) return undefined
  const kept = mustStaple && setting.mustStaple === 'keep-until-end'
  if (!mustWithdraw(life, now, kept ? timing.tick : leadOf(timing))) return undefined
  const who = mustStaple ? 'a must-staple certificate; ' : ''
  const why = entry.failures === 0 ? '' : `: ${entry.lastFailure?.code}`
  return { action: 'withdraw', reason: `${who}the response ends at ${life.end.toISOString()}${why}` }
}

function resting({ urls, entry }: Candidate): StapleDecision {
  if (entry?.state === 'staple' && entry.response !== undefined) {
    return { action: 'keep', reason: `${entry.response.status} until ${entry.response.end.toISOString()}` }
  }
  if (urls.length === 0)
    return { action: 'none', reason: 'the certificate names no OCSP responder: nothing to do' }
  const next = entry?.nextTry === undefined ? '' : `, next try at ${entry.nextTry.toISOString()}`
  return { action: 'none', reason: `${entry?.reason ?? 'no response yet'}${next}` }
}

/** Seconds from its start in which a certificate counts as young. */
const YOUNG = 86_400

/** Whether its responder may have yet to hear of a certificate: it is young, or never had a response. */
export function isAwaited(notBefore: Date, { response }: Pick<StapleEntry, 'response'>, now: Date): boolean {
  return response === undefined || now.getTime() - notBefore.getTime() < YOUNG * 1000
}

/** Life of the response that an entry holds. */
export function lifeOf(entry: StapleEntry | undefined): Life | undefined {
  return entry?.response === undefined
    ? undefined
    : { thisUpdate: entry.response.thisUpdate, end: entry.response.end }
}

/**
 * Whether so many staples would go at once that something else must be wrong: more than one, and more than a fifth.
 * @param held staples in place when the run began.
 */
export function isMassWithdrawal(held: number, leaving: number): boolean {
  return leaving > 1 && leaving * 5 > held
}

/** Where time is short, it goes to those whose staple ends soonest; first to those that have none. */
export function nearestEndFirst<T extends { readonly entry: StapleEntry }>(all: readonly T[]): readonly T[] {
  const endOf = ({ entry }: T) => (entry.state === 'staple' ? (entry.response?.end.getTime() ?? 0) : 0)
  return all.toSorted((one, other) => endOf(one) - endOf(other))
}

/** Whether a response that ends soon is worth delivering: it reaches the machines in time, and outlives what they hold. */
export function isWorthwhile(end: Date, entry: StapleEntry, now: Date, timing: StapleTiming): boolean {
  const held = entry.state === 'staple' ? entry.response?.end : undefined
  const isInTime = end.getTime() - now.getTime() > leadOf(timing) * 1000
  return isInTime && (held === undefined || end > held)
}
