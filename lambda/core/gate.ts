import { allMachines, counted } from './count.ts'
import { type Carried, type Delivered, type Delivery, membershipOf } from './delivery-record.ts'
import type { FleetTarget } from './fleet-configuration.ts'
import type { RotationTiming } from './rotation-configuration.ts'

/** A machine of the roll call. */
export interface Member {
  readonly id: string
  /** False once Systems Manager has lost its connection. */
  readonly online: boolean
}

/** The fleet as Systems Manager lists it, or its refusal to say. */
export type Fleet =
  | { readonly known: true; readonly members: readonly Member[] }
  | { readonly known: false; readonly refusal: string }

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

/** Age of the ring in seconds. */
export function ageOf(delivery: Pick<Delivery, 'rotatedAt'>, now: Date): number {
  return (now.getTime() - delivery.rotatedAt.getTime()) / 1000
}

/** Why the roll call cannot be trusted, if so: then nothing that it says lets a rotation pass. */
export function fleetTrouble({
  fleet,
  carried,
  target,
}: Pick<GateQuestion, 'fleet' | 'carried' | 'target'>): string | undefined {
  const tag = `${target.tag}=${target.values.join('|')}`
  if (!fleet.known) return `the roll call was refused: ${fleet.refusal}`
  const members = fleet.members.length
  const before = carried.baseline?.members ?? 0
  if (members === 0 && before === 0) return undefined
  if (members === 0) return `no machine answers to the tag ${tag} any more; ${before} did`
  if (members * 2 < before) return `only ${members} of ${before} machines still answer to the tag ${tag}`
  if (members < target.minInstances) {
    return `${counted(members, 'machine')} with the tag ${tag}, fewer than minInstances (${target.minInstances})`
  }
  return undefined
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
  if (delivery.attempts === 0) return `generation ${delivery.generation} has not been delivered yet`
  const named = delivery.stragglers
    .slice(0, 3)
    .map(({ id, reason }) => `${id} (${reason})`)
    .join(', ')
  const others = missing > 3 ? ` and ${missing - 3} more` : ''
  const who = named === '' ? '' : `: ${named}${others}`
  return `${delivery.confirmed} of ${delivery.members} machines have confirmed generation ${delivery.generation}${who}`
}

export function later(time: Date, seconds: number): Date {
  return new Date(time.getTime() + seconds * 1000)
}

function formatSeconds(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`
}
