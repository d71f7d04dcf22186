/** How many machines a fleet is measured against. */
export interface Baseline {
  readonly members: number
  /** When there were as many last. */
  readonly at: Date
  /** Since when there have been fewer. */
  readonly fewerSince?: Date
}

const HOUR = 3_600_000
/** For how long a fleet that has become smaller is expected to be as large as it was. */
const GRACE = HOUR
/** From then on half as many are expected after each of these: a fleet that stays small is one. */
const HALF = 2 * HOUR

/** What a delivery record keeps of a fleet's size. */
export interface Measured {
  readonly baseline?: Baseline
}

/** How many machines the baseline lets one expect at this time. */
export function expectedMembers(baseline: Baseline | undefined, now: Date): number {
  if (baseline === undefined) return 0
  const { members, fewerSince = now } = baseline
  return members * 2 ** (-Math.max(0, now.getTime() - fewerSince.getTime() - GRACE) / HALF)
}

/** The baseline after a fleet of this size was seen: it follows a larger one at once, a smaller one over hours. */
export function followed(baseline: Baseline | undefined, members: number, now: Date): Baseline {
  if (members >= expectedMembers(baseline, now)) return { members, at: now }
  return baseline?.fewerSince === undefined ? { members, at: now, ...baseline, fewerSince: now } : baseline
}

/** True where a fleet of this size is news to the baseline. */
export function isNews(baseline: Baseline | undefined, members: number, now: Date): boolean {
  const after = followed(baseline, members, now)
  return (
    baseline !== undefined && (after.members !== baseline.members || wasFewer(after) !== wasFewer(baseline))
  )
}

function wasFewer({ fewerSince }: Baseline): boolean {
  return fewerSince !== undefined
}
