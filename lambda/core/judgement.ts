import type { Evidence, Heard } from './confirmation.ts'
import {
  type Carried,
  type Delivered,
  type Delivery,
  membershipOf,
  type Straggler,
} from './delivery-record.ts'
import type { FleetTarget } from './fleet-configuration.ts'
import { type Fleet, fleetTrouble, type Member } from './gate.ts'

export interface Judgement<D extends Delivered = Delivery, C extends Pick<Carried, 'baseline'> = Carried> {
  readonly delivery: D
  readonly carried: C
}

/** Members of the roll call that have not confirmed, each with its reason. */
export function stragglersOf(members: readonly Member[], evidence: Evidence<Heard>): readonly Straggler[] {
  return members.flatMap(({ id, online }) => {
    const verdict = evidence.get(id)
    if (verdict?.confirmed === true) return []
    return [{ id, reason: verdict?.reason ?? (online ? 'has not answered' : 'connection lost') }]
  })
}

/**
 * Weighs the evidence against the roll call.
 * @param changed whether any instance had to change its keys since the fleet was last judged: tickets that it
 * issued before have to live their life from now on.
 */
export function weigh<D extends Delivered, C extends Pick<Carried, 'baseline'>>(
  { delivery, carried }: Judgement<D, C>,
  { fleet, evidence, changed }: { fleet: Fleet; evidence: Evidence<Heard>; changed: boolean },
  target: FleetTarget,
  now: Date,
): Judgement<D, C> {
  // Against no roll call nothing can be weighed: what was said counts once there is one.
  if (!fleet.known) return { delivery: unweighed(delivery), carried }
  const { members } = fleet
  const stragglers = stragglersOf(members, evidence)
  const weighed = {
    ...delivery,
    members: members.length,
    confirmed: members.length - stragglers.length,
    stragglers,
    judgedAt: now,
    membership: membershipOf(members.map(({ id }) => id)),
  }
  const trouble = fleetTrouble({ fleet, carried, target })
  if (stragglers.length > 0 || trouble !== undefined) {
    return { delivery: changed ? unsettled(weighed) : weighed, carried }
  }
  const convergedAt = delivery.convergedAt === undefined || changed ? now : delivery.convergedAt
  return {
    // The next redelivery, for somebody who joins, starts its back-off afresh.
    delivery: { ...weighed, convergedAt, attempts: Math.min(delivery.attempts, 1) },
    carried: { ...carried, baseline: { members: members.length, at: now } },
  }
}

function unweighed<D extends Delivered>(delivery: D): D {
  const { membership: _, ...rest } = unsettled(delivery)
  return rest as D
}

/** Whoever changed its keys just now may be the last to have done so: the fleet has yet to converge after it. */
function unsettled<D extends Delivered>(delivery: D): D {
  const { convergedAt: _, ...rest } = delivery
  return rest as D
}
