import { createHash } from 'node:crypto'

import type { FailureKind } from './exchange.ts'

/** Life of a response, as its verdict states it. */
export interface Life {
  readonly thisUpdate: Date
  /** The verdict's `effectiveEnd`. */
  readonly end: Date
}

/** The owner's bounds, in seconds. */
export interface Pace {
  /** No refresh sooner than this after the last success. */
  readonly least: number
  /** No later than this after the last success. */
  readonly most: number
}

export const USUAL_PACE: Pace = { least: 3600, most: 86_400 }

/** S9: the schedule never has two requests for one certificate closer than this; a person may ask sooner. Seconds. */
export const CLOSEST = 60

/** Whether trying again soon can help (S3), and what the responder asked for. */
export interface Failures {
  /** Failures in a row, 1 or more. */
  readonly count: number
  readonly kind: FailureKind
  /** When the responder said it may be asked again. */
  readonly retryAfter?: Date
}

/**
 * A number from 0 to 1 that belongs to a certificate and a purpose: the same on every run, different for each, so
 * that a thousand certificates issued together are not asked about together (S2).
 */
export function jitter(certificate: string, purpose: string): number {
  return createHash('sha256').update(`${purpose}\n${certificate}`).digest().readUInt32BE() / 2 ** 32
}

/**
 * S1: when to ask again after a success: at half-life, or when the response's own cache time is over, or after
 * `pace.most`, whichever is first, but not before `pace.least`; then up to a tenth of the wait later (S2).
 * However the bounds are set, three quarters of the life that is left are never slept through.
 * @param freshUntil end of the HTTP freshness, of {@link freshUntilOf}.
 */
export function nextRefresh(
  certificate: string,
  { thisUpdate, end }: Life,
  fetchedAt: Date,
  pace: Pace = USUAL_PACE,
  freshUntil?: Date,
): Date {
  const [start, fetched, last] = [thisUpdate, fetchedAt, end].map((time) => time.getTime()) as [
    number,
    number,
    number,
  ]
  const halfLife = start + (last - start) / 2
  const wanted = Math.min(halfLife, freshUntil?.getTime() ?? Infinity, fetched + pace.most * 1000)
  const left = last - fetched
  const wait = Math.min(Math.max(wanted - fetched, pace.least * 1000), (left * 2) / 3)
  const spread = wait * 0.1 * jitter(certificate, 'refresh')
  return new Date(fetched + Math.max(wait + spread, CLOSEST * 1000))
}

const HOUR = 3600

/**
 * S3: when to ask again after a failure at `now`. Transient ones: twice after 60 to 120 s, then from 5 minutes doubling
 * to an hour. Where a status is awaited the same up to 10 minutes, so that a run 5 or 15 minutes later asks. Permanent
 * ones: from an hour doubling to six. As the end nears all tighten to an eighth of the life that is left. A Retry-After
 * is honoured, but for at most half of that life and never beyond a day.
 * @param end end of the response that is held, if any.
 */
export function nextRetry(
  certificate: string,
  { count, kind, retryAfter }: Failures,
  now: Date,
  end?: Date,
): Date {
  const left =
    end === undefined || end <= now ? Number.POSITIVE_INFINITY : (end.getTime() - now.getTime()) / 1000
  const [soonest, latest] = DELAYS[kind](count)
  const usual = soonest + (latest - soonest) * jitter(certificate, `retry ${count}`)
  const asked = retryAfter === undefined ? 0 : (retryAfter.getTime() - now.getTime()) / 1000
  const delay = Math.max(CLOSEST, Math.min(usual, left / 8), Math.min(asked, left / 2, USUAL_PACE.most))
  return new Date(now.getTime() + delay * 1000)
}

type Range = readonly [soonest: number, latest: number]

const DELAYS: Readonly<Record<FailureKind, (count: number) => Range>> = {
  transient: (count) => transientDelay(count, HOUR),
  awaited: (count) => transientDelay(count, 600),
  permanent: permanentDelay,
}

function transientDelay(count: number, most: number): Range {
  if (count <= 2) return [CLOSEST, 2 * CLOSEST]
  const latest = Math.min(300 * 2 ** Math.min(count - 3, 4), most)
  return [latest * 0.75, latest]
}

function permanentDelay(count: number): Range {
  const soonest = Math.min(HOUR * 2 ** Math.min(count - 1, 3), 6 * HOUR)
  return [soonest, soonest * 1.25]
}

/** S5: seconds that must be left to be worth delivering: an hour, or a tenth of a shorter life. */
export function leastLeft({ thisUpdate, end }: Life): number {
  return Math.min(HOUR, (end.getTime() - thisUpdate.getTime()) / 10_000)
}

/** HAProxy drops a staple this many seconds before its nextUpdate (OCSP_MAX_RESPONSE_TIME_SKEW). */
const HAPROXY_MARGIN = 300

/**
 * S5: why a response is not worth delivering any more; `undefined` where it is.
 * @param lag seconds a delivery takes.
 */
export function objectionToDelivery(
  life: Life,
  now: Date,
  { lag, haproxy }: { readonly lag: number; readonly haproxy: boolean },
): string | undefined {
  const left = (life.end.getTime() - now.getTime()) / 1000
  const least = Math.max(leastLeft(life), lag + (haproxy ? HAPROXY_MARGIN : 0))
  return left > least
    ? undefined
    : `${Math.max(0, Math.floor(left))} s are left, ${Math.ceil(least)} s are needed`
}

/**
 * S4: whether the staple must go now. nginx and ATS serve one for ever, so it goes while it is still valid.
 * @param lead seconds from this decision to the machines: a delivery, and the wait for the next run.
 */
export function mustWithdraw({ end }: Life, now: Date, lead: number): boolean {
  return now.getTime() + lead * 1000 >= end.getTime()
}
