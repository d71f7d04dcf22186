import { describeName } from './name.ts'
import type { ValidationContext } from './validation-context.ts'
import { type Finding, fails, notApplicable, passes } from './verdict.ts'

/** V6: signed by the issuer, or by a delegate it certified for this (RFC 6960 §4.2.2.2). */
export function judgeSigner({ signer, search: { refusals }, basic }: ValidationContext): Finding {
  if (signer !== undefined) return passes(`${signer.kind} ${describeName(signer.certificate.subject)}`)
  if (refusals.length > 0) return fails(refusals.slice(0, 4).join('; '))
  return fails(
    `the responder's ${basic.responder.by} is neither the issuer's nor that of a certificate sent along`,
  )
}

/** V7: a delegate's own revocation is not asked about; without nocheck that is worth a word (RFC 6960 §4.2.2.2.1). */
export function judgeNoCheck({ signer }: ValidationContext): Finding {
  if (signer?.kind !== 'delegate') return notApplicable('no delegate signed')
  return passes(
    signer.certificate.noCheck ? 'the delegate carries nocheck' : 'the delegate lacks nocheck: accepted',
  )
}

/** V8: the signature over the exact bytes verifies under an allowed algorithm (RFC 6960 §3.2 item 2). */
export function judgeSignature({ signer }: ValidationContext): Finding {
  if (signer === undefined) return notApplicable('no signer that may sign was found')
  const { ok, detail } = signer.signature
  return ok ? passes(detail) : fails(detail)
}
