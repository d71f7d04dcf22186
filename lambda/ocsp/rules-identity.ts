import { differences } from './cert-id.ts'
import { HASHES } from './signature.ts'
import type { ValidationContext } from './validation-context.ts'
import { type Finding, fails, notApplicable, passes } from './verdict.ts'

/** V4: a status about our certificate, by all four fields of the CertID (RFC 6960 §3.2 item 1, §4.1.1). */
export function judgeCertId({ basic, ours, subject }: ValidationContext): Finding {
  const [single] = ours
  if (single !== undefined) return passes(`a ${HASHES[single.certId.hash]} CertID, all four fields equal`)
  const reasons = basic.singles.slice(0, 4).map(({ certId }) => {
    const own = subject.certIds.get(certId.hash)
    return own === undefined
      ? `hash ${certId.hash} is unknown`
      : `${differences(certId, own).join(', ')} differ`
  })
  return fails(`no status is about this certificate: ${reasons.join('; ') || 'the list is empty'}`)
}

/** V5: of several statuses about our certificate the worst counts: revoked, then unknown, then good. */
export function judgeSeveral({ basic, ours, single }: ValidationContext): Finding {
  if (single === undefined) return notApplicable('no status is about this certificate')
  const count = `${ours.length} of ${basic.singles.length}`
  const several = ours.length > 1 ? `, the worst of which is ${single.status.kind}` : ''
  return passes(`${count} statuses ${ours.length === 1 ? 'is' : 'are'} about this certificate${several}`)
}

/** V15: the certificate is good (RFC 6960 §2.2). */
export function judgeStatus({ single }: ValidationContext): Finding {
  if (single === undefined) return notApplicable('no status is about this certificate')
  const { status } = single
  if (status.kind !== 'revoked')
    return status.kind === 'good' ? passes('good') : fails('unknown to the responder')
  return fails(
    `revoked at ${status.at.toISOString()}${status.reason === undefined ? '' : `: ${status.reason}`}`,
  )
}

/** V16: the certificate and its issuer are in their dates, and the issuer did issue it (RFC 5280 §6.1.3). */
export function judgeCertificate({
  subject: { certificate, issuer, objection },
  now,
  skew,
}: Pick<ValidationContext, 'subject' | 'now' | 'skew'>): Finding {
  if (objection !== undefined) return fails(objection)
  for (const [what, { notBefore, notAfter }] of [
    ['certificate', certificate],
    ['issuer', issuer],
  ] as const) {
    if (notAfter < now) return fails(`the ${what} expired at ${notAfter.toISOString()}`)
    if (notBefore.getTime() > now.getTime() + skew) {
      return fails(`the ${what} is not valid before ${notBefore.toISOString()}`)
    }
  }
  return passes('in its dates, and signed by the issuer')
}
