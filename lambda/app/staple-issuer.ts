import { TicketringError } from '../core/errors.ts'
import type { Certificate } from '../core/ocsp/certificate.ts'
import { parseCertificates } from '../core/ocsp/pem.ts'
import { findIssuer, objectionToIssuer, prepareSubject, type Subject } from '../core/ocsp/subject.ts'
import {
  failureOfHttp,
  failureOfIssuers,
  failureOnTheWay,
  type IssuerFailure,
  STRANGERS,
  type TryFailure,
} from '../core/staple-failure.ts'
import type { Kept } from './staple-observation.ts'
import type { StaplePorts } from './staple-ports.ts'
import { type Fetched, MOST_URLS, mayStillAsk, type RunMemory } from './staple-run.ts'

/** A certificate with its issuer, or why there is none. */
export type Found = { readonly subject: Subject } | { readonly failure: TryFailure }

/**
 * Finds the issuer in the chain or, where that lacks it, through the certificate's caIssuers URLs.
 * @throws TicketringError `certificate-malformed` for a chain that cannot be read.
 */
export async function findSubject(ports: StaplePorts, kept: Kept, memory: RunMemory): Promise<Found> {
  const { certificate } = kept
  const issuer = findIssuer(
    certificate,
    kept.others.map((der) => memory.parse(der)),
  )
  if (issuer !== undefined) return { subject: prepareSubject(certificate, issuer) }
  const fetched = await fetchIssuer(ports, kept, memory)
  return 'failure' in fetched ? fetched : { subject: prepareSubject(certificate, fetched.issuer) }
}

/** As {@link findSubject}. @throws TicketringError `issuer-missing`, or what keeps the issuer from being fetched. */
export async function subjectOf(ports: StaplePorts, kept: Kept, memory: RunMemory): Promise<Subject> {
  const found = await findSubject(ports, kept, memory)
  if ('subject' in found) return found.subject
  throw new TicketringError(found.failure.code, {
    wanted: `the issuer of ${kept.setting.name}`,
    came: found.failure.detail,
    fix: 'Put the issuer into the chain',
  })
}

type Issuer = { readonly issuer: Certificate } | { readonly failure: TryFailure }

async function fetchIssuer(ports: StaplePorts, kept: Kept, memory: RunMemory): Promise<Issuer> {
  const { certificate } = kept
  const failures: IssuerFailure[] = []
  for (const url of certificate.caIssuerUrls.slice(0, MOST_URLS)) {
    if (failures.length > 0 && !mayStillAsk(ports)) break
    const fetched = await fetchOnce(ports, url, kept.setting.proxy, memory)
    const candidates = 'failure' in fetched ? [] : fetched.certificates
    const issuer = candidates.find((each) => objectionToIssuer(certificate, each) === undefined)
    if (issuer !== undefined) return { issuer }
    failures.push({ url, failure: 'failure' in fetched ? fetched.failure : STRANGERS })
  }
  return { failure: failureOfIssuers(failures) }
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
    if (answer.status === 200) return { certificates: parseCertificates(answer.body) }
    return { failure: failureOfHttp(answer, clock.now()) }
  } catch (error) {
    return { failure: failureOnTheWay(error) }
  }
}
