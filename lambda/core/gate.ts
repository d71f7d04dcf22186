import { expectedMembers } from './baseline.ts'
import { allMachines, counted } from './count.ts'
import { type Carried, type Delivered, type Delivery, membershipOf } from './delivery-record.ts'
import { type FleetTarget, minShareOf } from './fleet-configuration.ts'
import type { RotationTiming } from './rotation-configuration.ts'

/** A machine of the roll call. */
export interface Member {
  readonly id: string
  /** False once Systems Manager has lost its connection. */
  readonly online: boolean
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

export type Gate =
  | { readonly open: true; readonly forced: boolean; readonly reason: string }
  | { readonly open: false; readonly waitsFor: WaitsFor; readonly reason: string; readonly until?: Date }

export type WaitsFor = 'fleet' | 'convergence' | 'ticket-lifetime' | 'interval'

export interface GateQuestion {
  readonly now: Date
  readonly fleet: Fleet
  readonly delivery: Delivery
  readonly carried: Carried
  readonly target: FleetTarget
  readonly timing: RotationTiming
  /** A rotation asked for by hand does not wait for the interval. */
  readonly manual: boolean
}

/**
 * Whether the next generation may be committed: (a) the fleet has converged on this one, (b) a ticket issued by
 * the last straggler has lived its life, (c) the interval has passed. Past `maxKeyAge` forward secrecy wins.
 */
export function askGate(question: GateQuestion): Gate {
  const closed =
    fleetCondition(question) ??
    convergenceCondition(question) ??
    lifetimeCondition(question) ??
    intervalCondition(question)
  if (closed === undefined) return { open: true, forced: false, reason: openReason(question) }
  const { timing, delivery, now } = question
  if (closed.waitsFor === 'interval' || ageOf(delivery, now) < timing.maxKeyAge) return closed
  const age = formatSeconds(ageOf(delivery, now))
  return {
    open: true,
    forced: true,
    reason: `the ring is ${age} old, past maxKeyAge, although ${closed.reason}`,
  }
}

/**
 * Until when a command is waited for before a ring past `maxKeyAge` is replaced: for one tick past that age, or past the
 * sending where it was sent only then. `undefined` where the ring is not that old.
 */
export function lastChanceUntil(
  { rotatedAt, commands }: Pick<Delivery, 'rotatedAt' | 'commands'>,
  { maxKeyAge, tick }: RotationTiming,
  now: Date,
): Date | undefined {
  const tooOld = later(rotatedAt, maxKeyAge)
  if (now < tooOld) return undefined
  const sentAt = commands.at(-1)?.sentAt ?? tooOld
  return later(sentAt > tooOld ? sentAt : tooOld, tick)
}

/** Age of the ring in seconds. */
export function ageOf(delivery: Pick<Delivery, 'rotatedAt'>, now: Date): number {
  return (now.getTime() - delivery.rotatedAt.getTime()) / 1000
}

/** Why the roll call cannot be trusted, if so: then nothing that it says lets a rotation pass. */
export function fleetTrouble({
  fleet,
  carried,
  target,
  now,
}: Pick<GateQuestion, 'fleet' | 'carried' | 'target'> & { readonly now: Date }): string | undefined {
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
  // Whoever is stopped or terminated is missed by nobody; whoever lost its tag still takes connections.
  const expected = expectedMembers(carried.baseline, now) - (fleet.left?.ended ?? 0)
  if (expected <= 0 || (members > 0 && members * 100 >= expected * minShareOf(target))) return undefined
  const untagged = fleet.left?.untagged ?? 0
  const others = untagged > 0 ? `; ${untagged} that Systems Manager still lists do not` : ''
  return members === 0
    ? `no machine answers to the tag ${tag} any more; ${before} did${others}`
    : `only ${members} of ${before} machines still answer to the tag ${tag}${others}`
}

function fleetCondition(question: GateQuestion): Closed | undefined {
  const trouble = fleetTrouble(question)
  return trouble === undefined ? undefined : { open: false, waitsFor: 'fleet', reason: trouble }
}

function convergenceCondition({ delivery, fleet }: GateQuestion): Closed | undefined {
  if (!isConverged(delivery)) return { open: false, waitsFor: 'convergence', reason: missingOf(delivery) }
  if (delivery.membership === rollCallOf(fleet)) return undefined
  const reason = `machines have joined or left since generation ${delivery.generation} was confirmed`
  return { open: false, waitsFor: 'convergence', reason }
}

/** Identifies who is on the roll call; `undefined` where that is unknown. */
export function rollCallOf(fleet: Fleet): string | undefined {
  return fleet.known ? membershipOf(fleet.members.map(({ id }) => id)) : undefined
}

function lifetimeCondition({ delivery, timing, now }: GateQuestion): Closed | undefined {
  const until = later(delivery.convergedAt ?? now, timing.ticketLifetime)
  if (now >= until) return undefined
  const reason = `tickets issued before the fleet converged live until ${until.toISOString()}`
  return { open: false, waitsFor: 'ticket-lifetime', reason, until }
}

function intervalCondition({ delivery, timing, now, manual }: GateQuestion): Closed | undefined {
  const until = later(delivery.rotatedAt, timing.every - timing.window)
  if (manual || now >= until) return undefined
  const reason = `generation ${delivery.generation} is due to be replaced from ${until.toISOString()}`
  return { open: false, waitsFor: 'interval', reason, until }
}

type Closed = Extract<Gate, { open: false }>

function openReason({ delivery, now }: GateQuestion): string {
  const age = formatSeconds(ageOf(delivery, now))
  return `${allMachines(delivery.members, 'hold')} generation ${delivery.generation}, ${age} old`
}

/** True if every member of the last roll call has confirmed. */
export function isConverged({ convergedAt, members, confirmed }: Delivered): boolean {
  return convergedAt !== undefined && confirmed >= members
}

/** Who is missing, in words. */
export function missingOf(delivery: Delivery): string {
  const missing = delivery.members - delivery.confirmed
  const unsent = delivery.unsent === undefined ? '' : `; the last command was not sent: ${delivery.unsent}`
  if (delivery.attempts === 0) return `generation ${delivery.generation} has not been delivered yet${unsent}`
  const named = delivery.stragglers
    .slice(0, 3)
    .map(({ id, reason }) => `${id} (${reason})`)
    .join(', ')
  const others = missing > 3 ? ` and ${missing - 3} more` : ''
  const who = named === '' ? '' : `: ${named}${others}`
  return `${delivery.confirmed} of ${delivery.members} machines have confirmed generation ${delivery.generation}${who}${unsent}`
}

export function later(time: Date, seconds: number): Date {
  return new Date(time.getTime() + seconds * 1000)
}

function formatSeconds(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`
}
