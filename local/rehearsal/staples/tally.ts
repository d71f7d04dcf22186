import type { Sighting, StapleOutcome } from './observed-staple.ts'

/** What a certificate's staple may be, in one part of the show. */
export interface Expectation {
  readonly outcomes: readonly StapleOutcome[]
  /** ms; an older response, though still sound, is one that should be gone. */
  readonly since?: number
}

/** A part of the show: what happens to the responder and the certificates, and what clients may then be given. */
export interface StaplePhase {
  readonly name: string
  /** By name of the certificate. */
  readonly expected: Readonly<Record<string, Expectation>>
}

/** Handshakes that asked for a staple, by what came. */
export type StapleCounts = { asked: number } & Record<StapleOutcome, number>

/** What clients were given in one part of the show. */
export interface PhaseCounts {
  /** By name of the certificate. */
  readonly certificates: Record<string, StapleCounts>
  asked: number
  /** Times that every machine was asked for each of its certificates in both TLS versions. */
  rounds: number
  /** Sightings that were not expected in it. */
  unexpected: number
}

/** Counts of all that asked. */
export interface StapleTally {
  /** By instance id. */
  readonly hosts: Record<string, StapleCounts>
  /** By name of the phase, in their order. */
  readonly phases: Record<string, PhaseCounts>
  /** Handshakes that failed twice. */
  failed: number
}

export function emptyStapleTally(): StapleTally {
  return { hosts: {}, phases: {}, failed: 0 }
}

export function noCounts(): StapleCounts {
  return { asked: 0, good: 0, missing: 0, expired: 0, revoked: 0, refused: 0 }
}

/** Counts one more in a table, for whom it concerns. */
export function countOutcome(
  table: Record<string, StapleCounts>,
  whom: string,
  outcome: StapleOutcome,
): void {
  const counts = table[whom] ?? noCounts()
  table[whom] = counts
  counts.asked += 1
  counts[outcome] += 1
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

/** All counts in one. */
export function stapleTotalOf({ hosts }: StapleTally): StapleCounts {
  const total = noCounts()
  for (const counts of Object.values(hosts))
    for (const field of Object.keys(total) as (keyof StapleCounts)[]) total[field] += counts[field]
  return total
}
