import { type FleetTarget, maxConcurrencyOf, maxFailuresOf } from './configuration.ts'
import type { DeliveryState } from './delivery-state.ts'
import type { Fleet } from './membership.ts'

/** Whom one command is for. */
export interface Address {
  /** Machines that are online, by name, or all that have the tag. */
  readonly to: 'all' | readonly string[]
  /** Ramped, so that a bad machine shows before all have it, or to all at once. */
  readonly ramp: boolean
  /** Seconds that a machine may wait for its turn. */
  readonly timeout: number
  /** Only those of them that have the canary's tag as well. */
  readonly canary?: true
}

/** InstanceIds a single command may name. Source: SendCommand. */
const MOST_NAMED = 50
/** Commands sent at once: a machine that stands still holds up none but those of its own command. */
export const LANES = 10

interface Rollout {
  readonly fleet: Fleet
  readonly delivery: DeliveryState
  /** Instances that are known to hold what is delivered. */
  readonly holders: ReadonlySet<string>
  readonly ramp: boolean
  readonly target: FleetTarget
  readonly timing: { readonly delivery: number; readonly execution: number }
}

/**
 * Whom the next commands go to. The first goes to all by the tag where all are online, else to those that are:
 * Run Command gives it to one machine, then to two and so on, and one that does not answer holds its place until the
 * command expires. What follows goes to the missing alone, and at once where the first went well.
 * @returns none where no machine that lacks it is online.
 */
export function addressees(rollout: Rollout): readonly Address[] {
  const { fleet, delivery, holders, ramp } = rollout
  const address = addressOf(rollout)
  if (!fleet.known) return [address('all', ramp, delivery.members)]
  const online = fleet.members.filter((member) => member.online).map(({ id }) => id)
  if (delivery.attempts === 0 && online.length === fleet.members.length && online.length > 0)
    return [address('all', ramp, online.length)]
  const missing = online.filter((id) => !holders.has(id))
  if (missing.length === 0) return []
  const failed = new Set(delivery.stragglers.flatMap(({ id, ran }) => (ran ? [id] : [])))
  const untried = missing.filter((id) => !failed.has(id))
  if (!ramp || untried.length === 0 || wentWell(rollout)) return inLanes(missing, delivery, address)
  // No machine said anything: one that stands still is to hold up no other.
  if (delivery.attempts > 0 && triedOf(delivery) === 0)
    return untried.slice(0, LANES).map((id) => address([id], false, 1))
  const wave = untried.slice(0, MOST_NAMED)
  return [address(wave, true, wave.length)]
}

type Addressing = (to: Address['to'], ramp: boolean, machines: number) => Address

function addressOf({ target, timing }: Rollout): Addressing {
  return (to, ramp, machines) => ({ to, ramp, timeout: timeoutOf(machines, shareOf(target, ramp), timing) })
}

/** How many percent of a command's machines run it at the same time. */
export function shareOf(target: FleetTarget, ramp: boolean): number {
  return ramp ? maxConcurrencyOf(target) : 100
}

/**
 * A first wave of more than nothing, with no more failures than that many machines may have. What machines proved before the
 * first command, as a canary's, is no wave.
 */
function wentWell({ delivery, target }: Rollout): boolean {
  const tried = triedOf(delivery)
  return (
    delivery.attempts > 0 &&
    delivery.confirmed > 0 &&
    (delivery.failed ?? 0) <= Math.floor((tried * maxFailuresOf(target)) / 100)
  )
}

function triedOf({ confirmed, failed = 0 }: DeliveryState): number {
  return confirmed + failed
}

function inLanes(
  missing: readonly string[],
  { attempts }: DeliveryState,
  address: Addressing,
): readonly Address[] {
  // A large fleet's second command: where that one stands still as well, its machines are named, some at a time.
  if (missing.length > LANES * MOST_NAMED && attempts < 2) return [address('all', false, missing.length)]
  const named = missing.slice(0, LANES * MOST_NAMED)
  const size = Math.ceil(named.length / LANES)
  return Array.from({ length: Math.ceil(named.length / size) }, (_, lane) => {
    const ids = named.slice(lane * size, (lane + 1) * size)
    return address(ids, false, ids.length)
  })
}

/**
 * Seconds after which a machine whose turn has not come need not take the command any more: as long as the whole ramp takes
 * if each of its waves needs all the time that it may.
 * @param share percent of them that run it at the same time.
 */
export function timeoutOf(
  machines: number,
  share: number,
  { delivery, execution }: Rollout['timing'],
): number {
  return delivery + (wavesOf(machines, share) - 1) * execution
}

/** One machine, then two, then four, up to the share that may run at the same time. Source: Run Command, concurrency controls. */
function wavesOf(machines: number, share: number): number {
  const most = Math.max(1, Math.floor((machines * share) / 100))
  let waves = 0
  for (let [left, size] = [machines, 1]; left > 0; size = Math.min(size * 2, most)) {
    left -= size
    waves += 1
  }
  return Math.max(1, waves)
}
