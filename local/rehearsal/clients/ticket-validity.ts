/** What the clients know about the ring, from the rehearsal that watches the secret and the deliveries. */
export interface RingView {
  /** Generation that AWSCURRENT holds. */
  readonly committed: number
  /** Generation that the whole fleet has confirmed, 0 at first, and when that was noticed (ms). */
  readonly confirmed: number
  readonly confirmedAt: number
  /** Generation that the last revoke made, 0 without one: no key of those before it may be accepted. */
  readonly revoked: number
  /** Whether a delivery is under way. */
  readonly delivering: boolean
  /** Generation in which a key encrypts, by key name. */
  readonly encryptsIn: Readonly<Record<string, number>>
}

/** The part of a ticket that what it promises depends on. */
export interface Issued {
  /** Generation in which its key encrypts; undefined for a key that is in no ring. */
  readonly generation: number | undefined
  /** ms */
  readonly issuedAt: number
}

/**
 * nginx's old worker processes leave the listening socket a moment after the new ones are there: a retired ticket is
 * tried this many ms after the fleet confirmed.
 */
export const DRAINING = 1_000

/**
 * Whether the ring promises that every machine resumes this ticket: until it is L old, come what may, and for as
 * long as its key is in every machine's ring, which ends with the commit two generations on. A revoke ends it at once, and
 * what it gives is promised once every machine has it.
 */
export function isPromised(
  { generation, issuedAt }: Issued,
  view: RingView,
  now: number,
  lifetime: number,
): boolean {
  if (isRevoked(generation, view)) return false
  if (generation === view.revoked && view.confirmed < view.revoked) return false
  if (now - issuedAt <= lifetime) return true
  return generation !== undefined && view.committed <= generation + 1
}

/** Whether every machine must refuse this ticket: the whole fleet runs a ring that its key is no part of. */
export function isRetired({ generation }: Issued, view: RingView, now: number): boolean {
  if (generation === undefined || view.delivering) return false
  const since = isRevoked(generation, view) ? view.revoked : generation + 2
  return view.confirmed >= since && now - view.confirmedAt >= DRAINING
}

function isRevoked(generation: number | undefined, { revoked }: Pick<RingView, 'revoked'>): boolean {
  return generation !== undefined && generation < revoked
}
