import { isAwaitedByNone } from '../fleet/awaited.ts'
import type { FleetTarget } from '../fleet/configuration.ts'
import { isConverged, standingOf, unsentOf } from '../fleet/delivery-state.ts'
import type { Leave } from '../fleet/leave.ts'
import { type Fleet, fleetTrouble, rollCallOf } from '../fleet/membership.ts'
import { allMachines } from '../kernel/count.ts'
import { formatSeconds, later } from '../kernel/time.ts'
import { type CalendarSight, calendarHold, unreadText } from './calendar.ts'
import type { Mode, RotationTiming } from './configuration.ts'
import { type Control, pauseText } from './control.ts'
import type { Carried, Delivery } from './delivery-record.ts'

export type Gate =
  | { readonly open: true; readonly forced: boolean; readonly reason: string }
  | { readonly open: false; readonly waitsFor: WaitsFor; readonly reason: string; readonly until?: Date }

export type WaitsFor =
  | 'pause'
  | 'calendar'
  | 'unread-calendar'
  | 'enforcement'
  | 'fleet'
  | 'convergence'
  | 'ticket-lifetime'
  | 'interval'

export interface GateQuestion {
  readonly now: Date
  readonly fleet: Fleet
  readonly delivery: Delivery
  readonly carried: Carried
  readonly control?: Control
  readonly calendar?: CalendarSight
  /** Whom the gate does not wait for. */
  readonly leave: Leave
  readonly target: FleetTarget
  readonly timing: RotationTiming
  /** A rotation asked for by hand does not wait for the interval. */
  readonly manual: boolean
  /** Where machines only look, none of them is waited for. */
  readonly mode?: Mode | undefined
}

/**
 * Whether the next generation may be committed: (a) the fleet has converged on this one, (b) a ticket issued by
 * the last straggler has lived its life, (c) the interval has passed. Past `maxKeyAge` forward secrecy wins, but over
 * an operator's pause and a closed calendar.
 */
export function askGate(question: GateQuestion): Gate {
  const paused = pauseCondition(question) ?? calendarCondition(question)
  if (paused !== undefined) return paused
  if (question.mode === 'observe') return askObserving(question)
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

/** Machines that only look lose nothing by a new generation, unless they encrypt with a key of this ring. */
function askObserving(question: GateQuestion): Gate {
  const closed = intervalCondition(question) ?? inUseCondition(question)
  return closed ?? { open: true, forced: false, reason: openReason(question) }
}

function inUseCondition({ delivery, manual }: GateQuestion): Closed | undefined {
  if (manual || delivery.inUse === undefined) return undefined
  const reason =
    'machines encrypt with a key of this ring, and only look: its successor comes with mode enforce'
  return { open: false, waitsFor: 'enforcement', reason }
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

function pauseCondition({ control, delivery, timing, now }: GateQuestion): Closed | undefined {
  const { paused } = control ?? {}
  if (paused === undefined) return undefined
  const age = ageOf(delivery, now)
  const old = age < timing.maxKeyAge ? '' : `; the ring is ${formatSeconds(age)} old, past maxKeyAge`
  return { open: false, waitsFor: 'pause', reason: pauseText(paused) + old, until: paused.until }
}

function calendarCondition({ calendar, delivery, timing, now }: GateQuestion): Closed | undefined {
  const hold = calendarHold(calendar, ageOf(delivery, now) >= timing.maxKeyAge)
  return hold === undefined ? undefined : { open: false, ...hold }
}

function fleetCondition(question: GateQuestion): Closed | undefined {
  const trouble = fleetTrouble(question)
  return trouble === undefined ? undefined : { open: false, waitsFor: 'fleet', reason: trouble }
}

function convergenceCondition({ delivery, fleet, leave }: GateQuestion): Closed | undefined {
  const isJudged = delivery.membership === rollCallOf(fleet)
  if (!isConverged(delivery) && !(isJudged && isAwaitedByNone(delivery, fleet, leave)))
    return { open: false, waitsFor: 'convergence', reason: missingOf(delivery) }
  if (isJudged) return undefined
  const reason = `machines have joined or left since generation ${delivery.generation} was confirmed`
  return { open: false, waitsFor: 'convergence', reason }
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

function openReason({ delivery, now, calendar }: GateQuestion): string {
  const unread = calendar?.state === 'unread' ? `, past maxKeyAge, although ${unreadText(calendar)}` : ''
  const age = `${formatSeconds(ageOf(delivery, now))} old${unread}`
  if (delivery.mode === 'observe') return `the machines only look; ${age}`
  if (!isConverged(delivery)) return `${missingOf(delivery)}, who is missing is not waited for; ${age}`
  return `${allMachines(delivery.members, 'hold')} generation ${delivery.generation}, ${age}`
}

/** Who is missing, in words. */
export function missingOf(delivery: Delivery): string {
  const { attempts, generation } = delivery
  return attempts === 0
    ? `generation ${generation} has not been delivered yet${unsentOf(delivery)}`
    : standingOf(
        delivery,
        `${delivery.mode === 'observe' ? 'would take' : 'have confirmed'} generation ${generation}`,
      )
}
