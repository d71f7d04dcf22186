import { isRefusal } from '../kernel/errors.ts'
import type { Fleet } from './membership.ts'
import type { Clock, FleetInventory } from './ports.ts'

/** @returns the fleet; where Systems Manager does not say, why: a revoke does not wait for it. Does not throw. */
export async function callRoll({ inventory, clock }: CallingPorts): Promise<Fleet> {
  try {
    return { known: true, members: await inventory.members(), at: clock.now() }
  } catch (error) {
    return { known: false, refusal: isRefusal(error) ? error.came : String(error).slice(0, LONGEST_REFUSAL) }
  }
}

const LONGEST_REFUSAL = 300

export interface CallingPorts {
  readonly inventory: FleetInventory
  readonly clock: Clock
}

/** The roll call of a large fleet takes long: it is not repeated while it is younger than a second for each page after the first. */
function isFresh(fleet: Fleet, now: Date): boolean {
  if (!fleet.known || fleet.at === undefined) return false
  return now.getTime() - fleet.at.getTime() < Math.floor(fleet.members.length / 50) * 1000
}

/** Calls the roll again; what became of machines that had left before stays known. */
export async function callRollAgain(ports: CallingPorts, before: Fleet): Promise<Fleet> {
  if (isFresh(before, ports.clock.now())) return before
  const fleet = await callRoll(ports)
  if (!fleet.known || !before.known || before.left === undefined) return fleet
  return fleet.members.length < before.members.length ? fleet : { ...fleet, left: before.left }
}
