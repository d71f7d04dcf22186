import { createHash } from 'node:crypto'
import { counted } from '../kernel/count.ts'
import { type FleetTarget, minShareOf } from './configuration.ts'
import { expectedMembers, type Measured } from './expected-members.ts'

/** A machine of the roll call. */
export interface Member {
  readonly id: string
  /** False once Systems Manager has lost its connection. */
  readonly online: boolean
  /** What the machine calls itself, where that is another name. */
  readonly name?: string
}

/** The fleet as Systems Manager lists it, or its refusal to say. */
export type Fleet =
  | { readonly known: true; readonly members: readonly Member[]; readonly left?: Left; readonly at?: Date }
  | { readonly known: false; readonly refusal: string }

/** What became of machines that the last commands named and the roll call does not: where that was asked. */
export interface Left {
  /** Systems Manager does not list them any more: stopped or terminated. */
  readonly ended: number
  /** It does: they have lost the tag. */
  readonly untagged: number
}

/** What the roll call is weighed against. */
export interface FleetQuestion {
  readonly fleet: Fleet
  readonly carried: Measured
  readonly target: FleetTarget
  readonly now: Date
}

/** Why the roll call cannot be trusted, if so: then nothing that it says lets a rotation pass. */
export function fleetTrouble({ fleet, carried, target, now }: FleetQuestion): string | undefined {
  const tag = `${target.tag}=${target.values.join('|')}`
  if (!fleet.known) return `the roll call was refused: ${fleet.refusal}`
  const members = fleet.members.length
  const before = carried.baseline?.members ?? 0
  if (members === 0 && before === 0) return undefined
  const { minInstances } = target
  if (minInstances !== undefined) {
    if (members >= minInstances) return undefined
    return `${counted(members, 'machine')} with the tag ${tag}, fewer than minInstances (${minInstances})`
  }
  // A machine that is stopped or terminated is not missed; one that lost its tag still takes connections.
  const expected = expectedMembers(carried.baseline, now) - (fleet.left?.ended ?? 0)
  if (expected <= 0 || (members > 0 && members * 100 >= expected * minShareOf(target))) return undefined
  const untagged = fleet.left?.untagged ?? 0
  const others = untagged > 0 ? `; ${untagged} that Systems Manager still lists do not` : ''
  return members === 0
    ? `no machine answers to the tag ${tag} any more; ${before} did${others}`
    : `only ${members} of ${before} machines still answer to the tag ${tag}${others}`
}

/** Identifies who is on the roll call; `undefined` where that is unknown. */
export function rollCallOf(fleet: Fleet): string | undefined {
  return fleet.known ? membershipOf(fleet.members.map(({ id }) => id)) : undefined
}

/** Identifies a set of instances, in any order: 32 hex digits. */
export function membershipOf(ids: readonly string[]): string {
  return createHash('sha256')
    .update([...ids].sort().join('\n'))
    .digest('hex')
    .slice(0, 32)
}

/** The roll call in numbers. */
export function countOf(members: readonly Member[]): { readonly members: number; readonly online: number } {
  return { members: members.length, online: members.filter(({ online }) => online).length }
}
