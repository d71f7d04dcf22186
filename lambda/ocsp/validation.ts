import { isRefusal } from '../kernel/errors.ts'
import { excerpt } from '../kernel/excerpt.ts'
import { isReadByOpenssl } from './certificate.ts'
import { describeName } from './name.ts'
import { type OcspResponse, parseResponse } from './response.ts'
import { judgeExtensions, judgeKind, judgeNonce, judgeTransport, LARGEST_RESPONSE } from './rules-form.ts'
import { judgeCertId, judgeCertificate, judgeSeveral, judgeStatus } from './rules-identity.ts'
import { judgeNoCheck, judgeSignature, judgeSigner } from './rules-signer.ts'
import { effectiveEnd, judgeDates, judgeEnd, judgeNextUpdate, judgeOrder } from './rules-time.ts'
import { HASHES } from './signature.ts'
import type { Subject } from './subject.ts'
import { contextOf, type Options, USUAL_SKEW, type ValidationContext } from './validation-context.ts'
import {
  type Finding,
  fails,
  notApplicable,
  type Outcome,
  passes,
  RULES,
  type Rule,
  type Verdict,
} from './verdict.ts'

export type { Options } from './validation-context.ts'

/** Rules over a response that was read, each in its own function. */
const HEARD: Readonly<Partial<Record<Rule, (context: ValidationContext) => Finding>>> = {
  V4: judgeCertId,
  V5: judgeSeveral,
  V6: judgeSigner,
  V7: judgeNoCheck,
  V8: judgeSignature,
  V9: judgeExtensions,
  V10: judgeNonce,
  V11: judgeNextUpdate,
  V12: judgeDates,
  V13: judgeEnd,
  V14: judgeOrder,
  V15: judgeStatus,
  V16: judgeCertificate,
}

/**
 * Judges an OCSP response: whatever the bytes are, the answer is a verdict with every rule's outcome. Does not throw.
 * @param der an OCSPResponse as it was received.
 */
export function validateResponse(der: Uint8Array, subject: Subject, options: Options): Verdict {
  try {
    return judgeResponse(der, subject, options)
  } catch (error) {
    // A fault of ours. A response that was not judged is no staple, and its bytes must not end a run.
    return unread(fails(`it could not be judged: ${excerpt(String(error))}`))
  }
}

function unread(finding: Finding): Verdict {
  return { verdict: 'refused', outcomes: outcomesOf({ V2: finding }), warnings: [], singles: 0 }
}

function judgeResponse(der: Uint8Array, subject: Subject, options: Options): Verdict {
  const { response, finding } = readResponse(der)
  const findings: Partial<Record<Rule, Finding>> = {
    V1:
      options.transport === undefined
        ? notApplicable('no HTTP exchange to judge')
        : judgeTransport(options.transport),
    V2: finding,
    ...(response === undefined ? {} : { V3: judgeKind(response) }),
    V17: notApplicable('judged on each machine, before it installs'),
  }
  if (response?.status !== 'successful' || response.basic === undefined)
    return unheard(findings, response, subject, options)
  const context = contextOf(response, response.basic, subject, options)
  for (const [rule, judge] of Object.entries(HEARD)) findings[rule as Rule] = judge(context)
  return heard(context, outcomesOf(findings))
}

/** V2: strict DER at both levels, version 1, times in seconds with a "Z" (RFC 6960 §4.2.1, RFC 9919 §2.2.4). */
function readResponse(der: Uint8Array): { response?: OcspResponse; finding: Finding } {
  if (der.length > LARGEST_RESPONSE)
    return { finding: fails(`${der.length} bytes, more than ${LARGEST_RESPONSE}`) }
  try {
    return { response: parseResponse(der), finding: passes(`${der.length} bytes of strict DER`) }
  } catch (error) {
    if (isRefusal(error, 'der-malformed'))
      return { finding: fails(`wanted ${error.wanted}; got ${error.came}`) }
    throw error
  }
}

function outcomesOf(findings: Partial<Record<Rule, Finding>>): Outcome[] {
  return RULES.map((rule) => ({
    rule,
    ...(findings[rule] ?? notApplicable('there is no response to judge')),
  }))
}

/** No response to hear: only the certificate itself can still be judged. */
function unheard(
  findings: Partial<Record<Rule, Finding>>,
  response: OcspResponse | undefined,
  subject: Subject,
  { now, skew = USUAL_SKEW }: Options,
): Verdict {
  const V16 = judgeCertificate({ subject, now, skew: skew * 1000 })
  return {
    verdict: 'refused',
    outcomes: outcomesOf({ ...findings, V16 }),
    warnings: [],
    ...(response?.status === undefined ? {} : { responderStatus: response.status }),
    singles: 0,
  }
}

function heard(context: ValidationContext, outcomes: readonly Outcome[]): Verdict {
  const { basic, single, signer } = context
  const sound = single !== undefined && outcomes.every(({ ok, rule }) => ok !== false || rule === 'V15')
  const end = effectiveEnd(context)
  const unread = basic.certificates.filter((der) => !isReadByOpenssl(der)).length
  return {
    verdict: sound ? single.status.kind : 'refused',
    outcomes,
    warnings: warningsOf(context, unread),
    ...(unread === 0 ? {} : { unreadableCertificates: unread }),
    responderStatus: 'successful',
    producedAt: basic.producedAt,
    singles: basic.singles.length,
    ...(end === undefined ? {} : { effectiveEnd: end }),
    ...(single === undefined ? {} : factsOf(single)),
    ...(signer === undefined
      ? {}
      : {
          signer: {
            kind: signer.kind,
            name: describeName(signer.certificate.subject),
            notAfter: signer.certificate.notAfter,
          },
        }),
  }
}

function factsOf({
  thisUpdate,
  nextUpdate,
  certId,
  status,
}: NonNullable<ValidationContext['single']>): Partial<Verdict> {
  const certIdHash = HASHES[certId.hash]
  return {
    thisUpdate,
    ...(nextUpdate === undefined ? {} : { nextUpdate }),
    ...(certIdHash === undefined ? {} : { certIdHash, certIdHasNull: certId.hasNull }),
    ...(status.kind === 'revoked'
      ? { revoked: { at: status.at, ...(status.reason === undefined ? {} : { reason: status.reason }) } }
      : {}),
  }
}

function warningsOf({ signer, single, subject }: ValidationContext, unread: number): string[] {
  const late = single?.nextUpdate !== undefined && single.nextUpdate > subject.certificate.notAfter
  return [
    ...(signer?.kind === 'delegate' && !signer.certificate.noCheck ? ['the delegate lacks nocheck'] : []),
    ...(late ? ['nextUpdate is after the end of the certificate'] : []),
    ...(unread > 0 ? ['OpenSSL cannot read a certificate sent along, and so not the response'] : []),
  ]
}
