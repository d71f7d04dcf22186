import { excerpt } from '../kernel/excerpt.ts'
import { approachesTo, freshUntilOf, urlAt } from '../ocsp/exchange.ts'
import { objectionOfHaproxy } from '../ocsp/haproxy-objection.ts'
import { serialiseRequest } from '../ocsp/request.ts'
import { objectionToDelivery } from '../ocsp/schedule.ts'
import type { Subject } from '../ocsp/subject.ts'
import { type Options, validateResponse } from '../ocsp/validation.ts'
import type { Verdict } from '../ocsp/verdict.ts'
import { isAwaited, isWorthwhile, leadOf } from './decision.ts'
import type { StoredResponse } from './entry.ts'
import {
  failureOfAnswer,
  failureOfShort,
  failureOnTheWay,
  mostHopeful,
  mostTelling,
  nextApproach,
  type TryFailure,
} from './failure.ts'
import { findSubject } from './issuer.ts'
import type { CertificateState } from './observation.ts'
import type { HttpAnswer, HttpQuestion, StaplePorts } from './ports.ts'
import { MOST_URLS, mayStillAsk, type RunMemory } from './run-memory.ts'

/** What asking about one certificate brought. */
export type Asked =
  | { readonly kind: 'response'; readonly response: StoredResponse; readonly freshUntil?: Date }
  | { readonly kind: 'failure'; readonly failure: TryFailure }
  /** Not asked: its responders do not answer in this run. */
  | { readonly kind: 'deferred' }

type Sound = Extract<Asked, { kind: 'response' }>

/** Asks the responders of a certificate in turn (S6), each by every approach that may help (S7). Never throws for what came. */
export async function askAbout(
  ports: StaplePorts,
  kept: CertificateState,
  memory: RunMemory,
): Promise<Asked> {
  const open = turnsOf(kept).filter((url) => !memory.isDown(url))
  if (open.length === 0) return { kind: 'deferred' }
  try {
    const found = await findSubject(ports, kept, memory)
    if ('failure' in found) return { kind: 'failure', failure: found.failure }
    return await askInTurn(ports, kept, found.subject, open, memory)
  } catch (error) {
    return { kind: 'failure', failure: failureOnTheWay(error) }
  }
}

/** S6: the next responder first after each failure. */
function turnsOf({ urls, entry }: CertificateState): readonly string[] {
  return urls.map((_, turn) => urlAt(urls, entry.failures + turn) ?? '').slice(0, MOST_URLS)
}

async function askInTurn(
  ports: StaplePorts,
  kept: CertificateState,
  subject: Subject,
  urls: readonly string[],
  memory: RunMemory,
): Promise<Asked> {
  const failures: TryFailure[] = []
  let short: Sound | undefined
  for (const url of urls) {
    if (!mayStillAsk(ports)) break
    const { sound, failure } = await askOne(ports, kept, subject, url)
    memory.note(url, failure)
    if (failure === undefined && sound !== undefined) return sound
    if (failure !== undefined) failures.push(failure)
    short = longer(short, sound)
  }
  // What ends soon is better than nothing, and than something that ends sooner.
  if (
    short !== undefined &&
    isWorthwhile(short.response.end, kept.entry, ports.clock.now(), ports.configuration.timing)
  )
    return short
  const failure = mostHopeful(failures)
  return failure === undefined ? { kind: 'deferred' } : { kind: 'failure', failure }
}

interface Reply {
  readonly sound?: Sound
  /** Why it is not the end of the asking. */
  readonly failure?: TryFailure
}

async function askOne(
  ports: StaplePorts,
  kept: CertificateState,
  subject: Subject,
  url: string,
): Promise<Reply> {
  const request = serialiseRequest(subject, kept.setting.hash)
  const approaches = approachesTo(url, request)
  const failures: TryFailure[] = []
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
    failures.push(reply.failure)
    at = mayStillAsk(ports) ? nextApproach(approaches, at, reply.failure) : undefined
    if (at !== undefined) continue
    const failure = mostTelling(failures) ?? reply.failure
    return { failure, ...(short === undefined ? {} : { sound: short }) }
  }
}

async function exchange(
  ports: StaplePorts,
  kept: CertificateState,
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
  kept: CertificateState,
  subject: Subject,
  source: string,
  answer: HttpAnswer,
): Reply {
  const now = clock.now()
  const { status, contentType, body } = answer
  const exchanged = { status, contentType, length: body.length, retryAfter: answer.retryAfter }
  const verdict = validateResponse(body, subject, { ...optionsOf(kept, now), transport: exchanged })
  const awaited = isAwaited(kept.certificate.notBefore, kept.entry, now)
  const failure = failureOfAnswer(exchanged, verdict, now, awaited)
  if (failure !== undefined) return { failure }
  const response = storedOf(body, verdict, now, source)
  const { thisUpdate, end } = response
  const freshUntil = freshUntilOf(answer, now, { thisUpdate, nextUpdate: end })
  const sound: Sound = { kind: 'response', response, ...(freshUntil === undefined ? {} : { freshUntil }) }
  // A revocation is news however soon its response ends.
  if (response.status === 'revoked') return { sound }
  const objection = objectionToDelivery(response, now, { lag: leadOf(timing), haproxy })
  return objection === undefined ? { sound } : { sound, failure: failureOfShort(objection) }
}

/** How this certificate's responses are judged. */
export function optionsOf({ setting, entry }: CertificateState, now: Date): Options {
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
    source: excerpt(source, 300),
  }
}

function longer(one: Sound | undefined, other: Sound | undefined): Sound | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return other.response.end > one.response.end ? other : one
}
