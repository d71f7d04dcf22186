import { STAPLE_OUTCOMES } from '../staples/observed-staple.ts'
import { TLS_VERSIONS, type TlsVersion } from './tls-client.ts'

/** How often each of a few things happened. */
export type Counts<Key extends string> = Record<Key, number>

/** None of these yet. */
export function noCounts<Key extends string>(keys: readonly Key[]): Counts<Key> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Counts<Key>
}

/** One more of each. */
export function count<Key extends string>(counts: Counts<Key>, ...keys: readonly Key[]): void {
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1
}

/** All in one. */
function sumOf<Key extends string>(keys: readonly Key[], all: readonly Counts<Key>[]): Counts<Key> {
  const sum = noCounts(keys)
  for (const counts of all) for (const key of keys) sum[key] += counts[key]
  return sum
}

/** When a ticket was tried: right after it was issued, while a delivery ran, after its key was superseded, or in between. */
const MOMENTS = ['at once', 'during a delivery', 'after the next advance', 'in between'] as const
export type Moment = (typeof MOMENTS)[number]

/** `failed` are connections that failed twice: what a user would see as an error. */
const RESUMPTION = ['tried', 'reused', 'lost', 'failed'] as const
export type Resumption = Counts<(typeof RESUMPTION)[number]>

/** Counts of everything that was tried with tickets. */
export interface Tally {
  readonly resumption: Record<TlsVersion, Resumption>
  readonly moments: Counts<Moment>
  readonly retired: Counts<'tried' | 'accepted'>
  /** Tickets of one kind of server tried at the other kind: they are not expected to resume. */
  readonly crossKind: Counts<'tried' | 'reused'>
  /** `<from> <to> <version>` to how often it was tried, pairs of the same kind alone. */
  readonly pairs: Counts<string>
  /** What was lost or failed as was to be expected, by its reason: it is in none of the counts above. */
  readonly expected: Record<string, Counts<'lost' | 'failed'>>
  /** Handshakes made to get a ticket, and those that ended without one. */
  readonly tickets: Counts<'taken' | 'missing'>
}

export function emptyTally(): Tally {
  return {
    resumption: { 'TLSv1.2': noCounts(RESUMPTION), 'TLSv1.3': noCounts(RESUMPTION) },
    moments: noCounts(MOMENTS),
    retired: noCounts(['tried', 'accepted']),
    crossKind: noCounts(['tried', 'reused']),
    pairs: {},
    expected: {},
    tickets: noCounts(['taken', 'missing']),
  }
}

/** Both TLS versions together. */
export function totalOf({ resumption }: Tally): Resumption {
  return sumOf(
    RESUMPTION,
    TLS_VERSIONS.map((version) => resumption[version]),
  )
}

/** The part of all tries that was made while a delivery ran, 0 to 1. */
export function deliveryShare(tally: Tally): number {
  const { tried } = totalOf(tally)
  return tried === 0 ? 0 : tally.moments['during a delivery'] / tried
}

/** Handshakes that asked for a staple, by what came. */
export const STAPLE_COUNTS = ['asked', ...STAPLE_OUTCOMES] as const
export type StapleCounts = Counts<(typeof STAPLE_COUNTS)[number]>

/** What clients were given in one phase of the scenario. */
export interface PhaseTally {
  /** By name of the certificate. */
  readonly certificates: Record<string, StapleCounts>
  asked: number
  /** Times that every machine was asked for each of its certificates in both TLS versions. */
  rounds: number
  /** Staples that were not expected in it. */
  unexpected: number
}

/** Counts of all that asked for staples. */
export interface StapleTally {
  /** By instance id. */
  readonly hosts: Record<string, StapleCounts>
  /** By name of the phase, in their order. */
  readonly phases: Record<string, PhaseTally>
  /** Connections that failed twice. */
  failed: number
}

export function emptyStapleTally(): StapleTally {
  return { hosts: {}, phases: {}, failed: 0 }
}

/** All machines together. */
export function stapleTotalOf({ hosts }: StapleTally): StapleCounts {
  return sumOf(STAPLE_COUNTS, Object.values(hosts))
}
