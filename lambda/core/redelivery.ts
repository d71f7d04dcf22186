import { type Delivered, membershipOf } from './delivery-record.ts'

/** InstanceIds a single command may name. Source: SendCommand. */
export const MOST_NAMED = 50
/** Redelivery waits at most this many ticks. */
const LONGEST_BACKOFF = 8

/**
 * Seconds from a delivery to the next: doubles from tick to tick, up to {@link LONGEST_BACKOFF} ticks, less up to a
 * tenth that belongs to what is delivered and to the attempt.
 */
export function backOff(attempts: number, what: string, tick: number): number {
  const ticks = Math.min(2 ** Math.max(attempts - 1, 0), LONGEST_BACKOFF)
  const jitter = Number.parseInt(membershipOf([what, String(attempts)]).slice(0, 4), 16) / 0xffff
  return tick * ticks * (1 - jitter / 10)
}

/** Names the missing while they are few and all known; otherwise everybody with the tag. */
export function redeliveryTargets({
  members,
  confirmed,
  stragglers,
}: Pick<Delivered, 'members' | 'confirmed' | 'stragglers'>): 'all' | readonly string[] {
  const missing = members - confirmed
  const allNamed = stragglers.length === missing && missing > 0 && missing <= MOST_NAMED
  return allNamed ? stragglers.map(({ id }) => id) : 'all'
}
