import { later } from '../kernel/time.ts'
import { UNHEARD } from './cause.ts'
import { type FleetTarget, maxFailuresOf } from './configuration.ts'
import type { Scales } from './convergence.ts'
import type { DeliveryState } from './delivery-state.ts'
import { type Member, membershipOf } from './membership.ts'

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

/** One machine that fails stops nothing; more than the share that may fail stop the delivery until it is tried again. */
export function isStopped({ members, failed = 0 }: DeliveryState, target: FleetTarget): boolean {
  return failed > Math.max(1, Math.floor((members * maxFailuresOf(target)) / 100))
}

/** Tries that may be spent at once on machines which another one may have kept from their turn. */
const MOST_HELD_UP = 3

/** More machines were not reached than commands were sent: they share one, and who stands still in it holds up the others. */
function wereHeldUp({ attempts }: DeliveryState, unreached: number, lanes: number): boolean {
  return attempts <= MOST_HELD_UP && unreached > lanes
}

/**
 * From when on it is sent again. At once to machines that were not reached, as long as that gets anywhere, and to one that
 * comes back; when they say so where all of them wait for their turn; after a back-off to those that failed.
 */
export function nextDelivery(
  before: DeliveryState,
  after: DeliveryState,
  members: readonly Member[],
  { target, tick, what, lanes }: Scales,
  now: Date,
): Date {
  const online = new Set(members.filter((member) => member.online).map(({ id }) => id))
  const missing = after.stragglers.filter(({ id }) => online.has(id))
  const unreached = missing.filter(({ ran }) => !ran).length
  const isUnsent = missing.some(({ code }) => code === UNHEARD)
  const grew = after.confirmed > before.confirmed
  const mayGetAnywhere =
    before.attempts <= 1 || (grew && (isUnsent || unreached > lanes)) || wereHeldUp(before, unreached, lanes)
  const isUnreached = unreached > 0 && mayGetAnywhere && !isStopped(after, target)
  if (missing.length === 0 || isUnreached) return now
  const waits = missing.flatMap(({ retryAfter }) => retryAfter ?? [])
  if (waits.length === missing.length) return later(now, Math.min(Math.max(...waits), LONGEST_BACKOFF * tick))
  // The second try came at once.
  const due = later(
    before.commands.at(-1)?.sentAt ?? now,
    backOff(Math.max(1, before.attempts - 1), what, tick),
  )
  // However long the command took: what failed is for a later run.
  const soonest = later(now, tick / 10)
  return due > soonest ? due : soonest
}
