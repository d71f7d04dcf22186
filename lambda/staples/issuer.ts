import { TicketringError } from '../kernel/errors.ts'
import type { Certificate } from '../ocsp/certificate.ts'
import { certificateBlocks, readCertificates } from '../ocsp/pem.ts'
import { findIssuer, fittest, isWithinDates, prepareSubject, type Subject } from '../ocsp/subject.ts'
import { failureOfHttp, failureOnTheWay, type TryFailure } from './failure.ts'
import { failureOfIssuers, type IssuerFailure, STRANGERS } from './issuer-failure.ts'
import type { CertificateState } from './observation.ts'
import type { StaplePorts } from './ports.ts'
import { type Fetched, MOST_URLS, mayStillAsk, type RunMemory } from './run-memory.ts'

/** A certificate with its issuer, or why there is none. */
type Found = { readonly subject: Subject } | { readonly failure: TryFailure }

/**
 * Finds the issuer in the chain or, where that lacks it or has it no longer within its dates, through the certificate's
 * caIssuers URLs: a CA may have been renewed with the same key.
 */
export async function findSubject(
  ports: StaplePorts,
  kept: CertificateState,
  memory: RunMemory,
): Promise<Found> {
  const { certificate } = kept
  const now = ports.clock.now()
  const { certificates, troubles } = readCertificates(kept.others, memory.parse)
  const held = findIssuer(certificate, certificates, [], now)
  if (held !== undefined && isWithinDates(held, now)) return { subject: prepareSubject(certificate, held) }
  const { issuers, failures } = await fetchIssuers(ports, kept, memory)
  const issuer = fittest(held === undefined ? issuers : [held, ...issuers], now)
  if (issuer === undefined) return { failure: failureOfIssuers(failures, troubles.length) }
  return { subject: prepareSubject(certificate, issuer) }
}

/** As {@link findSubject}. @throws TicketringError `issuer-missing`, or what keeps the issuer from being fetched. */
export async function subjectOf(
  ports: StaplePorts,
  kept: CertificateState,
  memory: RunMemory,
): Promise<Subject> {
  const found = await findSubject(ports, kept, memory)
  if ('subject' in found) return found.subject
  throw new TicketringError(found.failure.code, {
    wanted: `the issuer of ${kept.setting.name}`,
    came: found.failure.detail,
    fix: 'Put the issuer into the chain',
  })
}

interface Issuers {
  readonly issuers: readonly Certificate[]
  readonly failures: readonly IssuerFailure[]
}

/** Asks in turn until one within its dates is found. */
async function fetchIssuers(ports: StaplePorts, kept: CertificateState, memory: RunMemory): Promise<Issuers> {
  const { certificate } = kept
  const issuers: Certificate[] = []
  const failures: IssuerFailure[] = []
  for (const url of certificate.caIssuerUrls.slice(0, MOST_URLS)) {
    if (failures.length > 0 && !mayStillAsk(ports)) break
    const fetched = await fetchOnce(ports, url, kept.setting.proxy, memory)
    const candidates = 'failure' in fetched ? [] : fetched.certificates
    const issuer = findIssuer(certificate, candidates, [], ports.clock.now())
    if (issuer === undefined)
      failures.push({ url, failure: 'failure' in fetched ? fetched.failure : STRANGERS })
    else issuers.push(issuer)
    if (issuer !== undefined && isWithinDates(issuer, ports.clock.now())) break
  }
  return { issuers, failures }
}

/** Certificates of one CA name the same URL: it is asked once in a run. */
function fetchOnce(
  ports: StaplePorts,
  url: string,
  proxy: string | undefined,
  { issuers }: RunMemory,
): Promise<Fetched> {
  const key = `${proxy ?? ''} ${url}`
  const fetched = issuers.get(key) ?? fetchCertificates(ports, url, proxy)
  issuers.set(key, fetched)
  return fetched
}

/** RFC 5280 §4.2.2.1: one certificate in DER; PEM is read too, for some serve that. */
async function fetchCertificates(
  { responders, clock }: StaplePorts,
  url: string,
  proxy: string | undefined,
): Promise<Fetched> {
  try {
    const answer = await responders.ask({ method: 'GET', url, ...(proxy === undefined ? {} : { proxy }) })
    if (answer.status !== 200) return { failure: failureOfHttp(answer, clock.now()) }
    const { certificates, troubles } = readCertificates(certificateBlocks(answer.body))
    if (certificates.length === 0) throw troubles[0]
    return { certificates }
  } catch (error) {
    return { failure: failureOnTheWay(error) }
  }
}
