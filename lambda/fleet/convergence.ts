import { type Cause, countFailures, UNREACHED, WAITING } from './cause.ts'
import type { FleetTarget } from './configuration.ts'
import type { DeliveryState, Straggler } from './delivery-state.ts'
import { type Evidence, type Heard, NOT_HEARD } from './evidence.ts'
import { followed, isNews, type Measured } from './expected-members.ts'
import { packHolders, unpackHolders } from './holder-bits.ts'
import { awaitedOf, type Leave } from './leave.ts'
import { type Fleet, type FleetQuestion, fleetTrouble, type Member, membershipOf } from './membership.ts'
import { nextDelivery } from './redelivery.ts'

interface Judgement<D extends DeliveryState, C extends Measured> {
  readonly delivery: D
  readonly carried: C
}

/** What the fleet is weighed by, and how soon what it lacks is sent again. */
export interface Scales {
  readonly target: FleetTarget
  /** Seconds. */
  readonly tick: number
  /** What is delivered: spreads redeliveries. */
  readonly what: string
  /** How many commands have just been heard. */
  readonly lanes: number
  /** Who need not be waited for; absent where everyone is. */
  readonly leave?: Leave | undefined
}

const DISCONNECTED: Cause = { code: UNREACHED, detail: 'connection lost' }

/** Members of the roll call that have not confirmed, each with its reason; an open door first, for a record names few. */
export function stragglersOf(members: readonly Member[], evidence: Evidence<Heard>): readonly Straggler[] {
  const missing = members.flatMap(({ id, online }) => {
    const verdict = evidence.get(id)
    if (verdict?.confirmed === true) return []
    const { code, detail, retryAfter }: Cause = verdict ?? (online ? NOT_HEARD : DISCONNECTED)
    const due = retryAfter === undefined ? {} : { retryAfter }
    return [{ id, code, detail, ...(verdict?.ran ? { ran: true as const } : {}), ...due }]
  })
  const isOpen = ({ code }: Straggler) => code === 'auth-bypass'
  return [...missing.filter(isOpen), ...missing.filter((each) => !isOpen(each))]
}

/**
 * Who is known to hold what was delivered, of a roll call that is the one last judged; `undefined` where it is another, or
 * where the record had no room for it.
 */
export function holdersOf(
  { attempts, members, confirmed, membership, holders }: DeliveryState,
  fleet: Fleet,
): ReadonlySet<string> | undefined {
  if (!fleet.known || attempts === 0) return undefined
  const ids = fleet.members.map(({ id }) => id)
  if (membership !== membershipOf(ids)) return undefined
  if (confirmed === members || confirmed === 0) return new Set(confirmed === 0 ? [] : ids)
  return holders === undefined ? undefined : unpackHolders(ids, holders)
}

/**
 * Weighs the evidence against the roll call.
 * @param changed whether any instance had to change its keys since the fleet was last judged: tickets that it
 * issued before have to live their life from now on.
 */
export function weigh<D extends DeliveryState, C extends Measured>(
  { delivery, carried }: Judgement<D, C>,
  { fleet, evidence, changed }: { fleet: Fleet; evidence: Evidence<Heard>; changed: boolean },
  scales: Scales,
  now: Date,
): Judgement<D, C> {
  // Against no roll call nothing can be weighed: what was said counts once there is one.
  if (!fleet.known) return { delivery: unweighed(delivery), carried }
  const trouble = fleetTrouble({ fleet, carried, target: scales.target, now })
  const { baseline } = carried
  const left = fleet.left?.untagged === 0 ? undefined : baseline
  const after = { ...carried, baseline: followed(left, fleet.members.length, now) }
  const stragglers = stragglersOf(fleet.members, evidence)
  const weighed = { ...standing(delivery, fleet.members, stragglers), judgedAt: now }
  const again =
    stragglers.length === 0 ? {} : { nextAt: nextDelivery(delivery, weighed, fleet.members, scales, now) }
  const judged = { ...weighed, ...again }
  if (isWaitedForAny(fleet.members, stragglers, scales.leave) || trouble !== undefined)
    return { delivery: changed ? unsettled(judged) : judged, carried: after }
  const convergedAt = delivery.convergedAt === undefined || changed ? now : delivery.convergedAt
  // The next redelivery, for a machine that joins, starts its back-off afresh.
  const attempts = stragglers.length === 0 ? Math.min(delivery.attempts, 1) : delivery.attempts
  return { delivery: { ...judged, convergedAt, attempts }, carried: after }
}

function isWaitedForAny(
  members: readonly Member[],
  stragglers: readonly Straggler[],
  leave: Leave | undefined,
): boolean {
  const missing = new Set(stragglers.map(({ id }) => id))
  const behind = members.filter(({ id }) => missing.has(id))
  return awaitedOf(behind, members.length, leave).length > 0
}

function standing<D extends DeliveryState>(
  delivery: D,
  members: readonly Member[],
  stragglers: readonly Straggler[],
): D {
  const { holders: _, nextAt: __, unsent, ...rest } = delivery
  const ids = members.map(({ id }) => id)
  const missing = new Set(stragglers.map(({ id }) => id))
  const failed = stragglers.filter(({ ran, code }) => ran && !WAITING.has(code)).length
  const confirmed = members.length - missing.size
  return {
    ...(rest as D),
    members: members.length,
    confirmed,
    offline: members.filter(({ online }) => !online).length,
    failed,
    stragglers,
    failures: countFailures(stragglers),
    ...(missing.size > 0 && unsent !== undefined ? { unsent } : {}),
    ...(missing.size > 0 && confirmed > 0 ? { holders: packHolders(ids, (id) => !missing.has(id)) } : {}),
    membership: membershipOf(ids),
  }
}

function unweighed<D extends DeliveryState>(delivery: D): D {
  const { membership: _, ...rest } = unsettled(delivery)
  return rest as D
}

/** A machine that changed its keys just now may be the last to have done so: the fleet has yet to converge after it. */
function unsettled<D extends DeliveryState>(delivery: D): D {
  const { convergedAt: _, ...rest } = delivery
  return rest as D
}

/** Puts on record how many machines there are, where that is news. */
export function noteSize({
  fleet,
  carried,
  now,
}: Omit<FleetQuestion, 'target'>): { action: 'judge'; reason: string } | undefined {
  if (!fleet.known || !isNews(carried.baseline, fleet.members.length, now)) return undefined
  return { action: 'judge', reason: `the fleet has ${fleet.members.length} machines now` }
}
