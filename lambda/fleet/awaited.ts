import { holdersOf } from './convergence.ts'
import { type DeliveryState, isConverged } from './delivery-state.ts'
import { awaitedOf, type Leave } from './leave.ts'
import type { Fleet, Member } from './membership.ts'

/** The machines of the roll call that have not confirmed; `undefined` where the record had no room to say which. */
function missingFrom(delivery: DeliveryState, fleet: Fleet): readonly Member[] | undefined {
  const holders = holdersOf(delivery, fleet)
  if (!fleet.known || holders === undefined) return undefined
  return fleet.members.filter(({ id }) => !holders.has(id))
}

/** True if no machine is waited for any more: those that are missing need not be. */
export function isAwaitedByNone(delivery: DeliveryState, fleet: Fleet, leave: Leave | undefined): boolean {
  if (isConverged(delivery)) return true
  const missing = missingFrom(delivery, fleet)
  if (missing === undefined || !fleet.known) return false
  return awaitedOf(missing, fleet.members.length, leave).length === 0
}

/** Machines that are behind and offline, and are not waited for. */
export function laggingIn(delivery: DeliveryState, fleet: Fleet, leave: Leave): readonly string[] {
  const missing = missingFrom(delivery, fleet) ?? []
  const awaited = new Set(awaitedOf(missing, missing.length + delivery.confirmed, leave))
  return missing.filter((each) => !awaited.has(each) && !leave.aside.has(each.id)).map(({ id }) => id)
}
