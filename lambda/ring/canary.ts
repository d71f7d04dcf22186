import { countFailures, WAITING } from '../fleet/cause.ts'
import { holdersOf } from '../fleet/convergence.ts'
import type { DeliveryState } from '../fleet/delivery-state.ts'
import { packHolders } from '../fleet/holder-bits.ts'
import { awaitedOf } from '../fleet/leave.ts'
import { type Fleet, type Member, membershipOf } from '../fleet/membership.ts'
import { nextDelivery } from '../fleet/redelivery.ts'
import { counted } from '../kernel/count.ts'
import { later } from '../kernel/time.ts'
import {
  type CanaryConfiguration,
  canaryEndsAfter,
  type RotationConfiguration,
  type RotationTiming,
} from './configuration.ts'
import type { CanaryState } from './delivery-record.ts'
import { alarmName } from './look-at-canary.ts'
import { isRolledBack } from './rollback.ts'
import { leaveOf } from './set-aside.ts'
import { type CanarySight, type Decision, isRevocation, type Known, type Situation } from './situation.ts'

/**
 * True while a generation is the canary's alone. A revoke waits for nothing; what was delivered before there was a canary is
 * not taken back.
 */
export function isHeldToCanary(
  { delivery }: Pick<Known, 'delivery'>,
  { canary, mode }: Pick<RotationConfiguration, 'canary' | 'mode'>,
): boolean {
  // A ring that observes loads nothing anywhere.
  if (canary === undefined || mode === 'observe' || isRevocation(delivery.version)) return false
  if (delivery.canary === undefined) return delivery.attempts === 0
  return delivery.canary.passedAt === undefined
}

/** True where the canary that a generation was held to is configured no more: the others have yet to get it. */
export function isLeftByCanary(
  { delivery }: Pick<Known, 'delivery'>,
  { canary }: Pick<RotationConfiguration, 'canary'>,
): boolean {
  return canary === undefined && delivery.canary !== undefined && delivery.canary.passedAt === undefined
}

/**
 * True unless a canary has yet to prove the document that would be sent now: where machines only look none ever does, and one
 * that is rolled back is brought to none.
 */
export function isDocumentPassed(
  situation: Pick<Situation, 'carried' | 'control'>,
  { canary, document, mode }: Pick<RotationConfiguration, 'canary' | 'document' | 'mode'>,
): boolean {
  if (canary === undefined || mode === 'observe' || isRolledBack(situation)) return true
  return situation.carried.passed === document.name
}

/** Ticks that two deliveries may take, one to the canary and one to the others. */
const DELIVERY_TICKS = 3

/** From then on the others do not wait for the canary any more. */
export function canaryEnds({ delivery }: Known, timing: RotationTiming): Date {
  return later(delivery.rotatedAt, canaryEndsAfter(timing, DELIVERY_TICKS * timing.tick))
}

/** The canary's machines of a roll call. */
export function canaryFleet(fleet: Fleet, canary: CanarySight | undefined): readonly Member[] {
  if (!fleet.known || canary?.known !== true) return []
  return fleet.members.filter(({ id }) => canary.ids.has(id))
}

/** Of the canary's machines, those that it takes to prove a generation and that have not; `undefined` where that is not known. */
function awaitedCanary(known: Known, configuration: RotationConfiguration): readonly Member[] | undefined {
  const members = canaryFleet(known.fleet, known.canary)
  const holders = holdersOf(known.delivery, known.fleet)
  if (members.length === 0 || holders === undefined) return undefined
  const missing = members.filter(({ id }) => !holders.has(id))
  return awaitedOf(missing, members.length, leaveOf(known, configuration))
}

/**
 * Puts on record, once the fleet was judged, since when the canary has proved its generation. While the others wait, those of
 * the canary alone are named as missing.
 */
export function noteCanary(known: Known, configuration: RotationConfiguration): Known {
  if (!isHeldToCanary(known, configuration)) return known
  const { delivery, now } = known
  const awaited = awaitedCanary(known, configuration)
  const { provedAt = now, ...before }: CanaryState = delivery.canary ?? {}
  const canary = awaited?.length === 0 ? { ...before, provedAt } : before
  const alone = deliveryTo(delivery, known.fleet, canaryFleet(known.fleet, known.canary))
  const { stragglers } = alone
  const again = stragglers.length === 0 ? {} : { nextAt: nextToCanary(known, alone, configuration) }
  return {
    ...known,
    delivery: { ...delivery, canary, stragglers, failures: countFailures(stragglers), ...again },
  }
}

/** By the rules of every redelivery: those that wait are not machines that were not reached. */
function nextToCanary(
  { fleet, canary, delivery, now }: Known,
  alone: DeliveryState,
  { target, timing }: RotationConfiguration,
): Date {
  const scales = { target, tick: timing.tick, what: delivery.version, lanes: 1 }
  return nextDelivery(alone, alone, canaryFleet(fleet, canary), scales, now)
}

/** A delivery as far as these machines go. */
export function deliveryTo(
  delivery: Known['delivery'],
  fleet: Fleet,
  members: readonly Member[],
): DeliveryState {
  const holders = holdersOf(delivery, fleet) ?? new Set<string>()
  const ids = members.map(({ id }) => id)
  const confirmed = ids.filter((id) => holders.has(id))
  const stragglers = delivery.stragglers.filter(({ id }) => ids.includes(id))
  const { convergedAt: _, ...rest } = delivery
  return {
    ...rest,
    members: ids.length,
    confirmed: confirmed.length,
    failed: stragglers.filter(({ ran, code }) => ran && !WAITING.has(code)).length,
    stragglers,
    holders: packHolders(ids, (id) => holders.has(id)),
    membership: membershipOf(ids),
  }
}

/** Once the canary has proved its generation: whether the others may follow. */
export function decidePromotion(
  known: Known,
  provedAt: Date,
  canary: CanaryConfiguration,
  isLate: boolean,
): Decision {
  const { now, delivery } = known
  const until = later(provedAt, canary.soak)
  const proved = `the canary proved generation ${delivery.generation} at ${provedAt.toISOString()}`
  const problem = alarmProblem(known.canary, canary.stopOnAlarms)
  if (now < until) {
    const but = problem?.page ? `, but ${problem.reason}` : ''
    const reason = `${proved}; the others follow after its soak${but}`
    return { action: 'hold', waitsFor: 'canary', until, page: isLate || but !== '', reason }
  }
  if (problem !== undefined)
    return {
      action: 'hold',
      waitsFor: 'canary',
      page: problem.page || isLate,
      reason: `${proved}, but ${problem.reason}`,
    }
  const quiet =
    canary.stopOnAlarms.length === 0
      ? ''
      : `, and ${counted(canary.stopOnAlarms.length, 'alarm')} of it stayed quiet`
  const { document } = delivery.canary ?? {}
  const passes = document === undefined ? {} : { passes: document }
  return { action: 'promote', forced: false, ...passes, reason: `${proved}${quiet}` }
}

interface AlarmProblem {
  readonly page: boolean
  readonly reason: string
}

/** INSUFFICIENT_DATA is quiet: an alarm on errors has no data where there are none. An alarm that is not there is not. */
function alarmProblem(sight: CanarySight | undefined, wanted: readonly string[]): AlarmProblem | undefined {
  if (wanted.length === 0) return undefined
  const alarms = sight?.known === true ? sight.alarms : sight
  if (alarms === undefined) return { page: false, reason: 'its alarms have yet to be looked at' }
  if (!alarms.known) return { page: true, reason: `its alarms cannot be looked at: ${alarms.refusal}` }
  const names = wanted.map(alarmName)
  const missing = names.filter((name) => !alarms.states.has(name))
  if (missing.length > 0)
    return { page: true, reason: `there is no alarm ${missing.join(', ')} (canary.stopOnAlarms)` }
  const loud = names.filter((name) => alarms.states.get(name) === 'ALARM')
  return loud.length === 0 ? undefined : { page: true, reason: `${loud.join(', ')} is in the state ALARM` }
}

/** An operator lets the others have what the canary has, whatever it says of it. */
export function promoteByHand(known: Known, configuration: RotationConfiguration): Decision {
  const { generation } = known.delivery
  const isHeld = isHeldToCanary(known, configuration)
  if (!isHeld && isDocumentPassed(known, configuration))
    return { action: 'rest', reason: `nothing of generation ${generation} waits for a canary` }
  const what = isHeld ? `generation ${generation} goes` : `the document ${configuration.document.name} may go`
  return {
    action: 'promote',
    forced: false,
    passes: configuration.document.name,
    reason: `asked for: ${what} to all`,
  }
}

/** From its first command on, what is the canary's is on record as that. */
export function noteSent(known: Known, configuration: RotationConfiguration): Known {
  if (!isHeldToCanary(known, configuration)) return known
  const { delivery } = known
  const { document: _, ...before } = delivery.canary ?? {}
  // What is proved by the program of before says nothing of the document that is rolled back.
  const canary = isRolledBack(known) ? before : { ...before, document: configuration.document.name }
  return { ...known, delivery: { ...delivery, canary } }
}

/** With what was decided on record. */
export function passCanary(
  known: Known,
  { forced, passes }: Extract<Decision, { action: 'promote' }>,
  configuration: RotationConfiguration,
): Known {
  const { delivery, carried, now } = known
  const canary: CanaryState = {
    ...delivery.canary,
    passedAt: now,
    ...(forced ? { forced: true } : {}),
  }
  const isHeld = isHeldToCanary(known, configuration) || isLeftByCanary(known, configuration)
  return {
    ...known,
    // What the canary was sent is no first wave of the others.
    delivery: isHeld ? { ...delivery, canary, attempts: 0 } : delivery,
    carried: passes === undefined || isRolledBack(known) ? carried : { ...carried, passed: passes },
  }
}
