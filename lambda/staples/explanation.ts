import type { Outcome, Verdict } from '../ocsp/verdict.ts'

/** A verdict as people ask for it: what `npm run explain` prints. */
export interface Explanation extends Omit<Verdict, 'outcomes' | 'effectiveEnd'> {
  readonly rules: readonly Outcome[]
  /** Null where none is known. */
  readonly effectiveEnd: Date | null
}

export function explanationOf({ verdict, outcomes, effectiveEnd, ...facts }: Verdict): Explanation {
  return { verdict, rules: outcomes, effectiveEnd: effectiveEnd ?? null, ...facts }
}
