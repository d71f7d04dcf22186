import { nextRefresh, nextRetry, type Pace } from '../ocsp/schedule.ts'
import type { CertificateSetting } from './configuration.ts'
import type { StapleEntry, StoredResponse } from './entry.ts'
import type { TryFailure } from './failure.ts'

/** Which certificate an entry is of. */
export type Identity = Pick<StapleEntry, 'name' | 'id' | 'mustStaple'>

/** The entry of a certificate that was never asked about. */
export function initialEntry(identity: Identity): StapleEntry {
  return { ...identity, state: 'none', failures: 0 }
}

/** The entry after a sound response came: it replaces the one before only if it says more (V14). */
export function withResponse(
  before: StapleEntry,
  fresh: StoredResponse,
  setting: CertificateSetting,
  pace: Pace,
  freshUntil?: Date,
): StapleEntry {
  const response = saysMore(fresh, before.response) ? fresh : (before.response ?? fresh)
  const { name, id, mustStaple } = before
  const withheld = response.status === 'revoked' && setting.revoked === 'withhold'
  return {
    name,
    id,
    mustStaple,
    state: withheld ? 'withdrawn' : 'staple',
    response,
    ...(withheld ? { reason: 'revoked: the owner wants no staple that says so' } : {}),
    nextTry: nextRefresh(id, response, fresh.fetchedAt, pace, freshUntil),
    failures: 0,
  }
}

/** The same thisUpdate is no news, unless it came with a later end, or the certificate was revoked meanwhile. */
export function saysMore(fresh: StoredResponse, held: StoredResponse | undefined): boolean {
  if (held === undefined || fresh.thisUpdate > held.thisUpdate) return true
  if (fresh.thisUpdate < held.thisUpdate) return false
  if (fresh.status !== held.status) return fresh.status === 'revoked'
  return fresh.end > held.end
}

/** The entry after a try that failed: what is held stays. */
export function withFailure(before: StapleEntry, failure: TryFailure, now: Date): StapleEntry {
  const { code, rule, detail } = failure
  const failures = before.failures + 1
  const end = before.state === 'staple' ? before.response?.end : undefined
  return {
    ...before,
    failures,
    nextTry: nextRetry(before.id, { ...failure, count: failures }, now, end),
    lastFailure: { at: now, code, detail, ...(rule === undefined ? {} : { rule }) },
  }
}

/** The entry after its staple was taken from the machines. */
export function withdrawn(before: StapleEntry, reason: string, byHand: boolean): StapleEntry {
  const { byHand: _, ...rest } = before
  return { ...rest, state: 'withdrawn', reason, ...(byHand ? { byHand: true } : {}) }
}

/**
 * Of two writers of one entry, whether the one that came first has to be put back: it holds a newer response, or an
 * operator's withdrawal.
 */
export function supersedes(first: StapleEntry, second: StapleEntry): boolean {
  if (first.byHand === true && second.byHand !== true) return true
  return first.response !== undefined && saysMore(first.response, second.response)
}
