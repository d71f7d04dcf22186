import { later } from '../kernel/time.ts'
import type { RotationTiming } from './configuration.ts'
import type { Carried, Delivery } from './delivery-record.ts'
import { isFresh } from './situation.ts'

/** When the ring is to change next. */
interface Outlook {
  /** From when on the next rotation is due, as far as time alone decides: interval and ticket lifetime. */
  readonly dueAt: Date
  /** When the ring advances though machines are missing: `maxKeyAge` after its last rotation. */
  readonly forcedAt: Date
}

export function outlookOf({ rotatedAt, convergedAt }: Delivery, timing: RotationTiming): Outlook {
  const interval = later(rotatedAt, timing.every)
  const lived = later(convergedAt ?? rotatedAt, timing.ticketLifetime)
  return { dueAt: interval > lived ? interval : lived, forcedAt: later(rotatedAt, timing.maxKeyAge) }
}

/** What a thief of the ring of now can read of recorded traffic, until a revoke. Durations in seconds. */
export interface Exposure {
  /**
   * How long after it was made a session can be decrypted: 2 T + L. In TLS 1.2 a session that is resumed within L gets a
   * ticket under the key of then, which stays in the ring for two intervals.
   */
  readonly sessionSeconds: number
  /** The same where machines hold every rotation up: 2 maxKeyAge + L. */
  readonly sessionSecondsAtMost: number
  /** Sessions made since then: since the oldest key of the ring began to encrypt, less L. */
  readonly readsFrom: Date
  /** False where that key's beginning is not on record, so that the announced interval stands for it. */
  readonly readsFromIsKnown: boolean
  /** Sessions made until then: `next` encrypts from the next rotation to the one after, as scheduled. */
  readonly readsTo: Date
  /** The same where both come as late as `maxKeyAge` allows. */
  readonly readsToAtMost: Date
  /**
   * What is left of the key that encrypts, at the least, unless a revoke comes first: a ticket given now is decrypted so
   * long. The two rotations that take the key out of the ring, by hand or past `maxKeyAge`, are never less than L apart.
   */
  readonly keyLeftSeconds: number
  /** The longest lifetime of a ticket that a machine announced; absent where none told. */
  readonly announcedSeconds?: number
}

export function exposureOf(
  delivery: Delivery,
  { before }: Carried,
  timing: RotationTiming,
  now: Date,
): Exposure {
  const { every, ticketLifetime, maxKeyAge } = timing
  const { rotatedAt } = delivery
  const known = isFresh(delivery.version) || before?.generation === delivery.generation - 1
  const oldest = later(
    previousBegan(delivery, before, every),
    isFresh(delivery.version) ? 0 : -ticketLifetime,
  )
  const nextBegins = laterOf(later(rotatedAt, every), now)
  return {
    sessionSeconds: 2 * every + ticketLifetime,
    sessionSecondsAtMost: 2 * maxKeyAge + ticketLifetime,
    readsFrom: oldest,
    readsFromIsKnown: known,
    readsTo: later(nextBegins, every),
    readsToAtMost: later(laterOf(later(rotatedAt, maxKeyAge), now), maxKeyAge),
    keyLeftSeconds: keyLeft(delivery, timing, now),
    ...(delivery.announced === undefined ? {} : { announcedSeconds: delivery.announced }),
  }
}

/** Two rotations take it out of the ring: the one that comes next, at the soonest, and one at least L later. */
function keyLeft(
  { rotatedAt, convergedAt }: Delivery,
  { ticketLifetime, maxKeyAge }: RotationTiming,
  now: Date,
): number {
  const opens = later(convergedAt ?? now, ticketLifetime)
  const forced = later(rotatedAt, maxKeyAge)
  const first = laterOf(opens < forced ? opens : forced, now)
  return Math.floor((later(first, ticketLifetime).getTime() - now.getTime()) / 1000)
}

/** A first or revoked ring has no key that ever encrypted before it. */
function previousBegan(
  { version, generation, rotatedAt }: Delivery,
  before: Carried['before'],
  every: number,
): Date {
  if (isFresh(version)) return rotatedAt
  return before?.generation === generation - 1 ? before.rotatedAt : later(rotatedAt, -every)
}

function laterOf(one: Date, other: Date): Date {
  return one > other ? one : other
}
