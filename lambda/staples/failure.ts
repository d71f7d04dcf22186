import { type ErrorCode, isRefusal, type TicketringError } from '../kernel/errors.ts'
import { excerpt } from '../kernel/excerpt.ts'
import {
  type Approach,
  type Failure,
  type FailureKind,
  kindOfFailure,
  retryAfterOf,
} from '../ocsp/exchange.ts'
import type { ResponderStatus } from '../ocsp/response.ts'
import { brokenRules, type Rule, type Verdict } from '../ocsp/verdict.ts'
import type { FailedTry } from './entry.ts'

/** Why one try brought no staple. */
export interface TryFailure extends Omit<FailedTry, 'at'> {
  readonly kind: FailureKind
  /** When the responder said it may be asked again. */
  readonly retryAfter?: Date
  /** Whether the same responder may answer better to another approach: past its cache, or to a POST. */
  readonly remedy: 'fresh' | 'post' | 'none'
}

/** What an HTTP exchange brought, as far as a judgement needs it. */
interface Exchanged {
  readonly status: number
  readonly contentType: string | undefined
  readonly length: number
  readonly retryAfter: string | undefined
}

/** Failures on the way to a responder that no change at the certificate or in the settings is needed to end. */
const NETWORK: readonly ErrorCode[] = [
  'responder-unresolved',
  'responder-unreachable',
  'responder-reset',
  'responder-timeout',
  'responder-not-http',
]

/** The failure that an error amounts to: of the way to a responder, or any other; then it is ours. Does not throw. */
export function failureOnTheWay(error: unknown): TryFailure {
  if (!isRefusal(error)) return failureOfFault(error)
  const failure: Failure = NETWORK.includes(error.code)
    ? { at: 'network', reason: error.code }
    : { at: 'setup', reason: error.code }
  // A front that drops the one method may answer the other.
  const remedy = error.code === 'responder-reset' ? 'post' : 'none'
  return { code: error.code, detail: detailOf(error), kind: kindOfFailure(failure), remedy }
}

/** What is unforeseen about one certificate is its failure, and keeps none of the others waiting. */
function failureOfFault(error: unknown): TryFailure {
  const detail = excerpt(error instanceof Error ? `${error.name}: ${error.message}` : String(error))
  return { code: 'internal-error', detail, kind: 'transient', remedy: 'none' }
}

/** True for a failure that says nothing about the certificate, but that its responder cannot be reached. */
export function isOutage({ code }: Pick<TryFailure, 'code'>): boolean {
  return NETWORK.includes(code)
}

/**
 * What is wrong with an answer; `undefined` where it is a sound status, good or revoked.
 * @param awaited as `isAwaited` says.
 */
export function failureOfAnswer(
  exchanged: Exchanged,
  verdict: Verdict,
  now: Date,
  awaited: boolean,
): TryFailure | undefined {
  if (exchanged.status !== 200) return failureOfHttp(exchanged, now)
  const { responderStatus } = verdict
  const [broken] = brokenRules(verdict)
  if (verdict.verdict === 'good' || verdict.verdict === 'revoked' || broken === undefined) return undefined
  const { detail } = broken
  if (broken.rule === 'V3' && responderStatus !== undefined && responderStatus !== 'successful') {
    return failureOfStatus(responderStatus, detail, awaited, comingBack(exchanged.retryAfter, now))
  }
  const kind = kindOfFailure({ at: 'rule', rule: broken.rule }, awaited)
  const remedy = kind === 'awaited' ? 'fresh' : remedyOf(broken.rule)
  return { code: RULE_CODES[broken.rule], rule: broken.rule, detail, kind, remedy }
}

/** An answer with another status than 200. */
export function failureOfHttp(
  { status, retryAfter }: Pick<Exchanged, 'status'> & { readonly retryAfter?: string | undefined },
  now: Date,
): TryFailure {
  const kind = kindOfFailure({ at: 'http', status })
  const back = comingBack(retryAfter, now)
  // A front may know one method alone, and fail at the other. One that is busy is not asked again at once by any.
  const helps = status >= 500 || (kind === 'permanent' && status >= 400)
  const remedy = helps && back.retryAfter === undefined ? 'post' : 'none'
  return { code: 'responder-http-error', rule: 'V1', detail: `HTTP status ${status}`, kind, remedy, ...back }
}

/** When the responder said it may be asked again, if it did. */
function comingBack(retryAfter: string | undefined, now: Date): Pick<TryFailure, 'retryAfter'> {
  const until = retryAfterOf(retryAfter, now)
  return until === undefined ? {} : { retryAfter: until }
}

function failureOfStatus(
  status: Exclude<ResponderStatus, 'successful'>,
  detail: string,
  awaited: boolean,
  back: Pick<TryFailure, 'retryAfter'>,
): TryFailure {
  const kind = kindOfFailure({ at: 'responder', status }, awaited)
  const helpful = kind === 'awaited' ? 'fresh' : status === 'sigRequired' ? 'none' : 'post'
  const remedy = back.retryAfter === undefined ? helpful : 'none'
  return { code: RESPONDER_CODES[status], detail, kind, remedy, ...back }
}

const RESPONDER_CODES: Readonly<Record<Exclude<ResponderStatus, 'successful'>, ErrorCode>> = {
  malformedRequest: 'responder-malformed-request',
  internalError: 'responder-internal-error',
  tryLater: 'responder-try-later',
  sigRequired: 'responder-sig-required',
  unauthorized: 'responder-unauthorized',
}

/** One code for each way a response can be wrong. V5, V7, V10, V13 and V17 never refuse here. */
const RULE_CODES: Readonly<Record<Rule, ErrorCode>> = {
  V1: 'responder-content-type',
  V2: 'response-malformed',
  V3: 'response-not-basic',
  V4: 'response-of-another-certificate',
  V5: 'response-of-another-certificate',
  V6: 'response-signer',
  V7: 'response-signer',
  V8: 'response-signature',
  V9: 'response-critical-extension',
  V10: 'response-malformed',
  V11: 'response-without-end',
  V12: 'response-out-of-time',
  V13: 'response-out-of-time',
  V14: 'response-older',
  V15: 'response-unknown',
  V16: 'certificate-expired',
  V17: 'response-of-another-certificate',
}

/** What is old may be a cache's; what is no response may be a front that only knows one method (RFC 9919 §5). */
function remedyOf(rule: Rule): TryFailure['remedy'] {
  if (rule === 'V12' || rule === 'V14') return 'fresh'
  return rule === 'V1' || rule === 'V2' || rule === 'V3' ? 'post' : 'none'
}

/** A sound response that would end before it is worth its delivery (S5): a cache's, perhaps. */
export function failureOfShort(detail: string): TryFailure {
  return { code: 'response-short', rule: 'V12', detail, kind: 'transient', remedy: 'fresh' }
}

/** The next way to ask the same responder after a failure (S7); `undefined` where none would help. */
export function nextApproach(
  approaches: readonly Approach[],
  at: number,
  { remedy }: Pick<TryFailure, 'remedy'>,
): number | undefined {
  if (remedy === 'none') return undefined
  const next = approaches.findIndex(
    (approach, index) => index > at && (remedy === 'fresh' || approach.method === 'POST'),
  )
  return next < 0 ? undefined : next
}

/** Of the failures of several responders, the one to act on: one that asking soon may mend, if there is any. */
export function mostHopeful(failures: readonly TryFailure[]): TryFailure | undefined {
  return failures.find(({ kind }) => kind !== 'permanent') ?? failures[0]
}

/**
 * Of the failures of one responder by several approaches, the one to act on: the last that may pass, since it knows when
 * to come back; else what was said about the certificate, rather than about the method.
 */
export function mostTelling(failures: readonly TryFailure[]): TryFailure | undefined {
  return (
    failures.findLast(({ kind }) => kind !== 'permanent') ??
    failures.findLast(({ rule }) => rule !== 'V1') ??
    failures[0]
  )
}

function detailOf({ wanted, came }: TicketringError): string {
  return `wanted ${wanted}; got ${came}`
}
