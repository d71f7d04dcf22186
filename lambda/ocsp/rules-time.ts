import { statedEnd, type ValidationContext } from './validation-context.ts'
import { type Finding, fails, notApplicable, passes } from './verdict.ts'

const NOTHING = notApplicable('no status is about this certificate')

/** V11: nextUpdate is there (RFC 9919 §4), or the owner says how long its absence lasts. */
export function judgeNextUpdate({ ours, options: { maxAge } }: ValidationContext): Finding {
  if (ours.length === 0) return NOTHING
  if (ours.every(({ nextUpdate }) => nextUpdate !== undefined)) return passes('nextUpdate is present')
  return maxAge === undefined
    ? fails('nextUpdate is missing')
    : passes(`missing: ${maxAge} s from thisUpdate allowed`)
}

/** V12: thisUpdate has come, nextUpdate has not, and producedAt makes sense (RFC 6960 §3.2 items 5 and 6, §4.2.2.1). */
export function judgeDates(context: ValidationContext): Finding {
  if (context.ours.length === 0) return NOTHING
  const { ours, now, skew, options } = context
  for (const single of ours) {
    const end = statedEnd(single, options)
    const { thisUpdate } = single
    if (thisUpdate.getTime() > now.getTime() + skew)
      return fails(`thisUpdate ${thisUpdate.toISOString()} is to come`)
    if (end !== undefined && end <= thisUpdate)
      return fails(`nextUpdate ${end.toISOString()} is not after thisUpdate`)
    if (end !== undefined && end <= now) return fails(`stale since ${end.toISOString()}`)
  }
  return judgeProducedAt(context)
}

/**
 * producedAt has come and lies within the life of the certificate: what was produced before it cannot vouch for it, and
 * Chrome's verifier refuses it. The signer's own may begin later: a CA or a delegate that was renewed with the same key
 * signed under that key before.
 */
function judgeProducedAt({ basic: { producedAt }, now, skew, subject, options }: ValidationContext): Finding {
  const at = producedAt.getTime()
  const held = Math.max(now.getTime(), options.heldAt?.getTime() ?? 0)
  if (at > held + skew) return fails(`producedAt ${producedAt.toISOString()} is to come`)
  const { notBefore, notAfter } = subject.certificate
  if (at + skew < notBefore.getTime() || producedAt > notAfter) {
    return fails(
      `producedAt ${producedAt.toISOString()} is outside ${notBefore.toISOString()}/${notAfter.toISOString()}`,
    )
  }
  return passes(`produced at ${producedAt.toISOString()}`)
}

/** V13: staples end with the first of nextUpdate, the signer's and the certificate's notAfter; clamped, not refused. */
export function judgeEnd(context: ValidationContext): Finding {
  const end = effectiveEnd(context)
  return end === undefined ? notApplicable('no end is known') : passes(`until ${end.toISOString()}`)
}

/** Earliest end of whatever this response leans on. */
export function effectiveEnd({ ours, options, subject, signer }: ValidationContext): Date | undefined {
  const ends = ours.map((single) => statedEnd(single, options)).filter((end) => end !== undefined)
  if (ends.length === 0 || ends.length < ours.length) return undefined
  const lives = [subject.certificate, subject.issuer, ...(signer === undefined ? [] : [signer.certificate])]
  return new Date(
    Math.min(...[...ends, ...lives.map(({ notAfter }) => notAfter)].map((end) => end.getTime())),
  )
}

/** V14: never older than what is stored: caches of one responder need not agree. */
export function judgeOrder({ single, options: { stored } }: ValidationContext): Finding {
  if (stored === undefined || single === undefined) return notApplicable('nothing stored to compare with')
  if (single.thisUpdate < stored) return fails(`older than the stored one of ${stored.toISOString()}`)
  return passes(
    single.thisUpdate > stored ? 'newer than the stored one' : 'the same thisUpdate as the stored one',
  )
}
