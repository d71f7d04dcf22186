import { REMEDIES } from '../kernel/remedies.ts'
import { type Candidate, lifeOf } from './decision.ts'
import type { StapleEntry, StapleState } from './entry.ts'

/** Published once a run. */
export interface StapleMetrics {
  /** Of the life of the response that is nearest its end, the share that is left, in percent; 0 where one is missing. */
  readonly StapleLifeLeft: number
  /** Certificates whose last try failed, whose entry could not be stored, or that cannot be looked after at all. */
  readonly StapleFailures: number
  readonly StaplesRevoked: number
  /** Machines that do not hold what they should. */
  readonly StaplesUndelivered: number
  /** Certificates without their staple because its end came, not by hand. */
  readonly StaplesWithdrawn: number
  /** Must-staple certificates without a staple: clients that insist on one refuse them. */
  readonly MustStaplesMissing: number
  /** 1 where so many would have gone at once that none was. */
  readonly WithdrawalHeld: number
  /** Staples that had drifted on machines and were put right, where a command told of any. */
  readonly DriftRepaired?: number
}

/** How one certificate stands. Times in ISO 8601. */
export interface StapleReport {
  readonly name: string
  readonly id?: string
  readonly state: StapleState | 'unreadable' | 'no-responder'
  readonly mustStaple?: boolean
  /** What would be done now, or was left to do, in a sentence. */
  readonly reason: string
  readonly status?: 'good' | 'revoked'
  readonly end?: string
  /** Seconds; as `lifeLeftSeconds`, which says so. */
  readonly lifeLeft?: number
  readonly lifeLeftSeconds?: number
  readonly lifeLeftPercent?: number
  readonly thisUpdate?: string
  readonly fetchedAt?: string
  readonly source?: string
  readonly haproxy?: string
  readonly nextTry?: string
  readonly failures?: number
  readonly lastFailure?: {
    readonly at: string
    readonly code: string
    readonly rule?: string
    readonly detail: string
    /** What to do about it. */
    readonly fix: string
  }
}

type Looked = Candidate & { readonly entry: StapleEntry }

export function reportOn({ entry, urls, mustStaple }: Looked, reason: string, now: Date): StapleReport {
  const { name, id, state, response, nextTry, failures, lastFailure } = entry
  return {
    name,
    id,
    state: state === 'none' && urls.length === 0 ? 'no-responder' : state,
    mustStaple,
    reason,
    ...(response === undefined
      ? {}
      : {
          status: response.status,
          end: response.end.toISOString(),
          lifeLeft: secondsTo(response.end, now),
          lifeLeftSeconds: secondsTo(response.end, now),
          lifeLeftPercent: lifeLeftOf(entry, now) ?? 0,
          thisUpdate: response.thisUpdate.toISOString(),
          fetchedAt: response.fetchedAt.toISOString(),
          source: response.source,
          ...(response.haproxy === null ? {} : { haproxy: response.haproxy }),
        }),
    ...(nextTry === undefined ? {} : { nextTry: nextTry.toISOString() }),
    failures,
    ...(lastFailure === undefined
      ? {}
      : {
          lastFailure: {
            ...lastFailure,
            at: lastFailure.at.toISOString(),
            fix: REMEDIES[lastFailure.code] ?? 'See docs/errors.md of the release that wrote this',
          },
        }),
  }
}

function secondsTo(time: Date, now: Date): number {
  return Math.max(0, Math.round((time.getTime() - now.getTime()) / 1000))
}

/** Percent of a response's life that is left, rounded down to tenths; `undefined` where there is none. */
export function lifeLeftOf(entry: StapleEntry, now: Date): number | undefined {
  const life = lifeOf(entry)
  if (life === undefined) return undefined
  const length = life.end.getTime() - life.thisUpdate.getTime()
  const share = length > 0 ? (life.end.getTime() - now.getTime()) / length : 0
  return Math.floor(Math.min(Math.max(share, 0), 1) * 1000) / 10
}

/** What the set as a whole comes to. `lost`: certificates that cannot be read. */
export function measureStaples(
  all: readonly Looked[],
  { now, lost, undelivered, held }: { now: Date; lost: number; undelivered: number; held: boolean },
): StapleMetrics {
  const lives = all
    .filter(isWanted)
    .map(({ entry }) => (entry.state === 'staple' ? (lifeLeftOf(entry, now) ?? 0) : 0))
  const count = (test: (each: Looked) => boolean) => all.filter(test).length
  return {
    StapleLifeLeft: Math.min(100, ...lives),
    StapleFailures: lost + count(({ entry }) => entry.failures > 0),
    StaplesRevoked: count(({ entry }) => entry.response?.status === 'revoked'),
    StaplesUndelivered: undelivered,
    StaplesWithdrawn: count(({ entry }) => entry.state === 'withdrawn' && isWanted({ entry, urls: ['any'] })),
    MustStaplesMissing: count(({ entry, mustStaple }) => mustStaple && entry.state !== 'staple'),
    WithdrawalHeld: held ? 1 : 0,
  }
}

/** Whether a staple is missed where there is none: not by hand, not for a revoked one, not without a responder. */
function isWanted({ entry, urls }: Pick<Looked, 'entry' | 'urls'>): boolean {
  const leftOut = entry.state !== 'staple' && (entry.byHand === true || entry.response?.status === 'revoked')
  return !leftOut && (urls.length > 0 || entry.state === 'staple')
}
