import type { ResponderStatus } from './response.ts'
import type { Rule } from './verdict.ts'

/** RFC 9919 §5: longest URL, in octets, that still goes as a GET. */
const LONGEST_URL = 255

/** One way to ask. `fresh` sends `Cache-Control: no-cache`. */
export type Approach =
  | { readonly method: 'GET'; readonly url: string; readonly fresh: boolean }
  | { readonly method: 'POST'; readonly url: string }

/**
 * S7: how to ask this responder, first way first: GET where the whole URL fits (RFC 9919 §5), the same past any cache
 * where that answered with something old, then POST.
 * @param responder an absolute http(s) URL.
 * @param request DER of the OCSPRequest.
 */
export function approachesTo(responder: string, request: Uint8Array): readonly [Approach, ...Approach[]] {
  const post = { method: 'POST', url: responder } as const
  const url = getUrl(responder, request)
  if (url === undefined) return [post]
  return [{ method: 'GET', url, fresh: false }, { method: 'GET', url, fresh: true }, post]
}

/** RFC 6960 A.1: the base64 of the request, percent-encoded, as the last part of the path. */
export function getUrl(responder: string, request: Uint8Array): string | undefined {
  if (/[?#]/.test(responder)) return undefined
  const encoded = encodeURIComponent(Buffer.from(request).toString('base64'))
  const url = `${responder}${responder.endsWith('/') ? '' : '/'}${encoded}`
  return Buffer.byteLength(url) <= LONGEST_URL ? url : undefined
}

/** S6: which of several URLs to ask at this try: the next one after each failure. */
export function urlAt(urls: readonly string[], failures: number): string | undefined {
  return urls[failures % Math.max(urls.length, 1)]
}

/** Headers of an answer that say how long it is fresh. */
interface Freshness {
  readonly cacheControl?: string | undefined
  readonly age?: string | undefined
  readonly expires?: string | undefined
}

/**
 * Until when HTTP calls the answer fresh (RFC 9111 §4.2.1, RFC 9919 §6): guidance only, so `undefined` unless it lies
 * between thisUpdate and nextUpdate.
 */
export function freshUntilOf(
  { cacheControl = '', age = '0', expires }: Freshness,
  receivedAt: Date,
  life: { readonly thisUpdate: Date; readonly nextUpdate: Date },
): Date | undefined {
  if (/\bno-(store|cache)\b/i.test(cacheControl)) return undefined
  const maxAge = /(?:^|[,\s])max-age\s*=\s*"?(\d{1,9})"?/i.exec(cacheControl)?.[1]
  const elapsed = /^\d{1,9}$/.test(age) ? Number(age) : 0
  const until =
    maxAge === undefined
      ? new Date(expires ?? Number.NaN)
      : new Date(receivedAt.getTime() + (Number(maxAge) - elapsed) * 1000)
  const within = until > life.thisUpdate && until < life.nextUpdate
  return within && until > receivedAt ? until : undefined
}

/** Retry-After in seconds or as a date (RFC 9110 §10.2.3); `undefined` where it says nothing usable. */
export function retryAfterOf(header: string | undefined, now: Date): Date | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return new Date(now.getTime() + Number(header) * 1000)
  if (!/^[A-Z][a-z]{2,8},? /.test(header)) return undefined
  // The form of asctime names no zone, and means UTC (RFC 9110 §5.6.7).
  const date = new Date(header.endsWith('GMT') ? header : `${header} GMT`)
  return Number.isNaN(date.getTime()) || date <= now ? undefined : date
}

/** What went wrong with one try. */
export type Failure =
  | { readonly at: 'network'; readonly reason: string }
  | { readonly at: 'http'; readonly status: number }
  | { readonly at: 'responder'; readonly status: Exclude<ResponderStatus, 'successful'> }
  | { readonly at: 'rule'; readonly rule: Rule }
  | { readonly at: 'setup'; readonly reason: string }

/** The five error statuses of RFC 6960 §4.2.1, and whether asking again soon can help. */
const RETRYABLE: Readonly<Record<Exclude<ResponderStatus, 'successful'>, boolean>> = {
  malformedRequest: false,
  internalError: true,
  tryLater: true,
  sigRequired: false,
  unauthorized: false,
}

/** A stale or older answer may be a cache's; an unknown certificate may be one the responder has yet to hear of. */
const TRANSIENT_RULES: readonly Rule[] = ['V12', 'V14', 'V15']
const TRANSIENT_HTTP = [408, 425, 429]

/** How soon to ask again (S3): a transient failure mends by itself, a status is awaited, a permanent one wants an operator. */
export type FailureKind = 'transient' | 'awaited' | 'permanent'

/**
 * S3: a transient failure is tried again soon; a permanent one slowly.
 * @param awaited the responder may have yet to hear of the certificate: it then says so by an error that would last for
 * another one (RFC 6960 §2.3, RFC 9919 §2.2.3: not capable of responding authoritatively).
 */
export function kindOfFailure(failure: Failure, awaited = false): FailureKind {
  if (awaited && isUnheardOf(failure)) return 'awaited'
  return isTransient(failure) ? 'transient' : 'permanent'
}

function isUnheardOf(failure: Failure): boolean {
  return failure.at === 'rule'
    ? failure.rule === 'V15'
    : failure.at === 'responder' && failure.status === 'unauthorized'
}

function isTransient(failure: Failure): boolean {
  switch (failure.at) {
    case 'network':
      return true
    case 'http':
      return failure.status >= 500 || TRANSIENT_HTTP.includes(failure.status)
    case 'responder':
      return RETRYABLE[failure.status]
    case 'rule':
      return TRANSIENT_RULES.includes(failure.rule)
    case 'setup':
      return false
  }
}
