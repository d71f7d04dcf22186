import { nearestName } from '../kernel/nearest-name.ts'
import { later } from '../kernel/time.ts'
import { isAwaitedByNone } from './awaited.ts'
import { holdersOf, noteSize } from './convergence.ts'
import { type DeliveryState, isConverged, isUnderWay } from './delivery-state.ts'
import type { Leave } from './leave.ts'
import { type FleetQuestion, fleetTrouble, rollCallOf } from './membership.ts'
import { isStopped } from './redelivery.ts'
import { type Address, addressees, timeoutOf } from './rollout.ts'

/** What the next step of a delivery is decided from. */
export interface DeliveryQuestion extends FleetQuestion {
  readonly delivery: DeliveryState
  /** Whom the others need not wait for; absent where everyone is waited for. */
  readonly leave?: Leave
  /** Seconds. */
  readonly timing: { readonly tick: number; readonly delivery: number; readonly execution: number }
  /** Asked for by hand: goes also to those that hold it, and without a ramp. */
  readonly byHand: boolean
  /** The one machine that it is asked for. */
  readonly only?: string
  /** Ramped, so that a bad machine shows before all have it. */
  readonly ramp: boolean
  /** Goes by the tag where the roll call cannot be read. */
  readonly byTag: boolean
  /** Has stood still for too long: an operator is to know. */
  readonly isLate: boolean
  /** How it stands, in words. */
  readonly standing: string
}

export type DeliveryDecision = { readonly reason: string } & (
  | { readonly action: 'send'; readonly to: readonly Address[] }
  | { readonly action: 'await' | 'judge' }
  /** Every machine of the roll call has confirmed. */
  | { readonly action: 'rest' }
  | {
      readonly action: 'hold'
      readonly waitsFor: 'fleet' | 'convergence'
      readonly until?: Date
      readonly page: boolean
    }
)

/** The next step of bringing to the fleet what it is to hold. */
export function decideDelivery(question: DeliveryQuestion): DeliveryDecision {
  const { delivery, fleet, byTag, standing } = question
  if (isUnderWay(delivery))
    return { action: 'await', reason: `command ${delivery.commands.at(-1)?.id} is under way` }
  if (question.byHand) return sendByHand(question)
  if (wasRefused(question)) return redeliver(question)
  const isReachable = fleet.known ? fleet.members.length > 0 : byTag
  if (delivery.attempts === 0 && isReachable) return send(question)
  const trouble = fleetTrouble(question)
  if (trouble !== undefined)
    return noteSize(question) ?? { action: 'hold', waitsFor: 'fleet', page: true, reason: trouble }
  if (delivery.membership !== rollCallOf(fleet))
    return { action: 'judge', reason: 'the roll call has changed' }
  // It was weighed while the roll call could not be trusted: who had left was not asked yet, say.
  if (delivery.convergedAt === undefined && delivery.confirmed >= delivery.members)
    return { action: 'judge', reason: 'the roll call can be trusted again' }
  if (isConverged(delivery)) return { action: 'rest', reason: standing }
  return isAwaitedByNone(delivery, fleet, question.leave) ? withoutWaiting(question) : redeliver(question)
}

/** Who is missing is not waited for, and gets it all the same once that is due. */
function withoutWaiting(question: DeliveryQuestion): DeliveryDecision {
  const { delivery, standing } = question
  if (delivery.convergedAt === undefined)
    return { action: 'judge', reason: `who is missing is not waited for: ${standing}` }
  const again = redeliver(question)
  return again.action === 'send' ? again : { action: 'rest', reason: standing }
}

/** Whom the next commands go to: those that lack it and are online. The others are reached when they come back. */
export function addresseesOf(
  question: Pick<DeliveryQuestion, 'fleet' | 'delivery' | 'target' | 'timing' | 'ramp'>,
): readonly Address[] {
  return addressees({
    ...question,
    holders: holdersOf(question.delivery, question.fleet) ?? new Set<string>(),
  })
}

function send(question: DeliveryQuestion): DeliveryDecision {
  const to = addresseesOf(question)
  const { isLate, standing } = question
  if (to.length > 0) return { action: 'send', to, reason: standing }
  return { action: 'hold', waitsFor: 'convergence', page: isLate, reason: standing }
}

function sendToOne(
  { fleet, timing }: Pick<DeliveryQuestion, 'fleet' | 'timing'>,
  id: string,
): DeliveryDecision {
  const members = fleet.known ? fleet.members : []
  const member = members.find((each) => each.id === id)
  if (member?.online) {
    const to = [{ to: [id], ramp: false, timeout: timeoutOf(1, 100, timing) }]
    return { action: 'send', to, reason: `asked for by hand, to ${id} alone` }
  }
  const nearest = nearestName(
    id,
    members.map((each) => each.id),
  )
  const meant = nearest === undefined ? '' : ` (did you mean ${nearest}?)`
  const why = member === undefined ? `no machine ${id} on the roll call${meant}` : `${id} is not online`
  return { action: 'hold', waitsFor: 'fleet', page: false, reason: why }
}

function sendByHand(question: DeliveryQuestion): DeliveryDecision {
  if (question.only !== undefined) return sendToOne(question, question.only)
  const afresh = { ...question.delivery, attempts: 0, stragglers: [] }
  const to = addressees({ ...question, delivery: afresh, holders: new Set(), ramp: false })
  if (to.length > 0) return { action: 'send', to, reason: 'asked for by hand' }
  return { action: 'hold', waitsFor: 'fleet', page: false, reason: 'no machine is online to deliver to' }
}

/** A command that could not be sent is not sent again at once. */
function wasRefused({ delivery, now }: DeliveryQuestion): boolean {
  return delivery.unsent !== undefined && delivery.nextAt !== undefined && now < delivery.nextAt
}

function redeliver(question: DeliveryQuestion): DeliveryDecision {
  const { delivery, now, timing, target, isLate, standing } = question
  const until = delivery.nextAt ?? later(delivery.commands.at(-1)?.sentAt ?? now, timing.tick)
  if (now >= until) return send(question)
  const page = isStopped(delivery, target) || delivery.unsent !== undefined || isLate
  return { action: 'hold', waitsFor: 'convergence', until, page, reason: standing }
}
