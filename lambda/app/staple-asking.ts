import { TicketringError } from '../core/errors.ts'
import { type Certificate, parseCertificate } from '../core/ocsp/certificate.ts'
import { approachesTo, freshUntilOf, urlAt } from '../core/ocsp/exchange.ts'
import { objectionOfHaproxy } from '../core/ocsp/haproxy.ts'
import { parseCertificates } from '../core/ocsp/pem.ts'
import { serialiseRequest } from '../core/ocsp/request.ts'
import { objectionToDelivery } from '../core/ocsp/schedule.ts'
import { findIssuer, objectionToIssuer, prepareSubject, type Subject } from '../core/ocsp/subject.ts'
import { type Options, validateResponse } from '../core/ocsp/validation.ts'
import type { Verdict } from '../core/ocsp/verdict.ts'
import type { StoredResponse } from '../core/staple.ts'
import { leadOf } from '../core/staple-decision.ts'
import {
  failureOfAnswer,
  failureOfShort,
  failureOnTheWay,
  isOutage,
  mostHopeful,
  nextApproach,
  type TryFailure,
} from '../core/staple-failure.ts'
import type { Kept } from './staple-observation.ts'
import type { HttpAnswer, HttpQuestion, StaplePorts } from './staple-ports.ts'

/** What asking about one certificate brought. */
export type Asked =
  | { readonly kind: 'response'; readonly response: StoredResponse; readonly freshUntil?: Date }
  | { readonly kind: 'failure'; readonly failure: TryFailure }
  /** Not asked: its responders do not answer anybody in this run. */
  | { readonly kind: 'deferred' }

type Sound = Extract<Asked, { kind: 'response' }>

/** Failures in a row after which a responder is left alone for the rest of a run. */
const MOST_OUTAGES = 16

/** What one run has learnt: issuers it fetched, and responders that do not answer. */
export class RunMemory {
  readonly issuers = new Map<string, Promise<readonly Certificate[]>>()
  readonly #outages = new Map<string, number>()
  readonly #parsed = new Map<string, Certificate>()

  /** Certificates of one CA come with the same issuers. @throws TicketringError `certificate-malformed`. */
  parse(der: Uint8Array): Certificate {
    const key = Buffer.from(der).toString('latin1')
    const parsed = this.#parsed.get(key) ?? parseCertificate(der)
    this.#parsed.set(key, parsed)
    return parsed
  }

  isDown(url: string): boolean {
    return (this.#outages.get(hostOf(url)) ?? 0) >= MOST_OUTAGES
  }

  note(url: string, failure: TryFailure | undefined): void {
    const host = hostOf(url)
    const down = failure !== undefined && isOutage(failure)
    this.#outages.set(host, down ? (this.#outages.get(host) ?? 0) + 1 : 0)
  }
}

/** Asks the responders of a certificate in turn (S6), each by every approach that may help (S7). Never throws for what came. */
export async function askAbout(ports: StaplePorts, kept: Kept, memory: RunMemory): Promise<Asked> {
  const urls = kept.urls.map((_, turn) => urlAt(kept.urls, kept.entry.failures + turn) ?? '')
  const open = urls.filter((url) => !memory.isDown(url))
  if (open.length === 0) return { kind: 'deferred' }
  const failures: TryFailure[] = []
  let short: Sound | undefined
  try {
    const subject = await subjectOf(ports, kept, memory)
    for (const url of open) {
      const { sound, failure } = await askOne(ports, kept, subject, url)
      memory.note(url, failure)
      if (failure === undefined && sound !== undefined) return sound
      if (failure !== undefined) failures.push(failure)
      short = longer(short, sound)
    }
  } catch (error) {
    failures.push(failureOnTheWay(error))
  }
  // What ends soon is better than nothing, and than something that ends sooner.
  if (short !== undefined && isWorthwhile(short, kept, ports)) return short
  return { kind: 'failure', failure: mostHopeful(failures) as TryFailure }
}

interface Reply {
  readonly sound?: Sound
  /** Why it is not the end of the asking. */
  readonly failure?: TryFailure
}

async function askOne(ports: StaplePorts, kept: Kept, subject: Subject, url: string): Promise<Reply> {
  const request = serialiseRequest(subject, kept.setting.hash)
  const approaches = approachesTo(url, request)
  let short: Sound | undefined
  for (let at: number | undefined = 0; ; ) {
    const approach = approaches[at] ?? approaches[0]
    const question: HttpQuestion = {
      ...approach,
      ...(approach.method === 'POST' ? { body: request } : {}),
      ...(kept.setting.proxy === undefined ? {} : { proxy: kept.setting.proxy }),
      trusted: kept.setting.url !== undefined,
    }
    const reply = await exchange(ports, kept, subject, url, question)
    short = longer(short, reply.sound)
    if (reply.failure === undefined) return reply
    at = nextApproach(approaches, at, reply.failure)
    if (at === undefined) return { failure: reply.failure, ...(short === undefined ? {} : { sound: short }) }
  }
}

async function exchange(
  ports: StaplePorts,
  kept: Kept,
  subject: Subject,
  source: string,
  question: HttpQuestion,
): Promise<Reply> {
  let answer: HttpAnswer
  try {
    answer = await ports.responders.ask(question)
  } catch (error) {
    return { failure: failureOnTheWay(error) }
  }
  return judgeAnswer(ports, kept, subject, source, answer)
}

function judgeAnswer(
  { clock, configuration: { haproxy, timing } }: StaplePorts,
  kept: Kept,
  subject: Subject,
  source: string,
  answer: HttpAnswer,
): Reply {
  const now = clock.now()
  const { status, contentType, body } = answer
  const exchanged = { status, contentType, length: body.length, retryAfter: answer.retryAfter }
  const verdict = validateResponse(body, subject, { ...optionsOf(kept, now), transport: exchanged })
  const failure = failureOfAnswer(exchanged, verdict, now)
  if (failure !== undefined) return { failure }
  const response = storedOf(body, verdict, now, source)
  const { thisUpdate, end } = response
  const freshUntil = freshUntilOf(answer, now, { thisUpdate, nextUpdate: end })
  const sound: Sound = { kind: 'response', response, ...(freshUntil === undefined ? {} : { freshUntil }) }
  const objection = objectionToDelivery(response, now, { lag: leadOf(timing), haproxy })
  return objection === undefined ? { sound } : { sound, failure: failureOfShort(objection) }
}

/** How this certificate's responses are judged. */
export function optionsOf({ setting, entry }: Kept, now: Date): Options {
  return {
    now,
    ...(setting.allowSha1 === undefined ? {} : { allowSha1: setting.allowSha1 }),
    ...(setting.maxAge === undefined ? {} : { maxAge: setting.maxAge }),
    ...(entry.response === undefined ? {} : { stored: entry.response.thisUpdate }),
  }
}

function storedOf(der: Uint8Array, verdict: Verdict, now: Date, source: string): StoredResponse {
  const { thisUpdate, nextUpdate, effectiveEnd } = verdict
  if (thisUpdate === undefined || effectiveEnd === undefined)
    throw new RangeError('a sound verdict without dates')
  return {
    der,
    thisUpdate,
    ...(nextUpdate === undefined ? {} : { nextUpdate }),
    end: effectiveEnd,
    status: verdict.verdict === 'revoked' ? 'revoked' : 'good',
    haproxy: objectionOfHaproxy(verdict) ?? null,
    fetchedAt: now,
    source,
  }
}

function longer(one: Sound | undefined, other: Sound | undefined): Sound | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return other.response.end > one.response.end ? other : one
}

function isWorthwhile({ response }: Sound, { entry }: Kept, { clock, configuration }: StaplePorts): boolean {
  const needed = leadOf(configuration.timing) * 1000
  const left = response.end.getTime() - clock.now().getTime()
  const held = entry.state === 'staple' ? entry.response?.end : undefined
  return left > needed && (held === undefined || response.end > held)
}

/**
 * Finds the issuer in the chain or, where that lacks it, through the certificate's caIssuers URLs.
 * @throws TicketringError `issuer-missing`.
 */
export async function subjectOf(ports: StaplePorts, kept: Kept, memory: RunMemory): Promise<Subject> {
  const { certificate } = kept
  const others = kept.others.map((der) => memory.parse(der))
  const issuer = findIssuer(certificate, others) ?? (await fetchIssuer(ports, kept, memory))
  return prepareSubject(certificate, issuer)
}

async function fetchIssuer(ports: StaplePorts, kept: Kept, { issuers }: RunMemory): Promise<Certificate> {
  const { certificate, setting } = kept
  const reasons: string[] = []
  for (const url of certificate.caIssuerUrls) {
    const key = `${setting.proxy ?? ''} ${url}`
    const fetched = issuers.get(key) ?? fetchCertificates(ports, url, setting.proxy)
    issuers.set(key, fetched)
    try {
      const found = (await fetched).find(
        (candidate) => objectionToIssuer(certificate, candidate) === undefined,
      )
      if (found !== undefined) return found
      reasons.push(`${url}: none there issued it`)
    } catch (error) {
      reasons.push(`${url}: ${failureOnTheWay(error).detail}`)
    }
  }
  throw new TicketringError('issuer-missing', {
    wanted: `the issuer of ${setting.name}, by name, key identifier and signature`,
    came: reasons.join('; ') || 'a chain without it, and no caIssuers URL in the certificate',
    fix: 'Put the issuer into the chain',
  })
}

/** RFC 5280 §4.2.2.1: one certificate in DER; PEM is read too, for some serve that. */
async function fetchCertificates(
  { responders }: StaplePorts,
  url: string,
  proxy: string | undefined,
): Promise<readonly Certificate[]> {
  const answer = await responders.ask({ method: 'GET', url, ...(proxy === undefined ? {} : { proxy }) })
  if (answer.status === 200) return parseCertificates(answer.body)
  throw new TicketringError('responder-http-error', {
    wanted: `a certificate at ${url}`,
    came: `HTTP status ${answer.status}`,
  })
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url
}
