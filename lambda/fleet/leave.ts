import type { Member } from './membership.ts'

/** Which machines the others need not wait for, though these have not confirmed. */
export interface Leave {
  /** Set aside by an operator. */
  readonly aside: ReadonlySet<string>
  /** Percent of the machines that may be behind while they are offline; of a few machines one, unless it is 0. */
  readonly mayLag: number
}

/** How many machines may be behind while they are offline. */
function mostLagging(members: number, { mayLag }: Pick<Leave, 'mayLag'>): number {
  return mayLag === 0 ? 0 : Math.max(1, Math.floor((members * mayLag) / 100))
}

/**
 * Who of those that have not confirmed is waited for. What no machine at all has proved waits for every one of them; and where
 * more are offline than may be, all of these are waited for.
 */
export function awaitedOf(
  missing: readonly Member[],
  members: number,
  leave: Leave | undefined,
): readonly Member[] {
  if (leave === undefined || missing.length >= members) return missing
  const counted = missing.filter(({ id }) => !leave.aside.has(id))
  const online = counted.filter((each) => each.online)
  return counted.length - online.length <= mostLagging(members, leave) ? online : counted
}
