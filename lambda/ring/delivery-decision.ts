import { WAITING } from '../fleet/cause.ts'
import { type DeliveryQuestion, decideDelivery } from '../fleet/delivery-decision.ts'
import { type DeliveryState, isUnderWay } from '../fleet/delivery-state.ts'
import { rollCallOf } from '../fleet/membership.ts'
import type { Address } from '../fleet/rollout.ts'
import { counted } from '../kernel/count.ts'
import {
  canaryEnds,
  canaryFleet,
  decidePromotion,
  deliveryTo,
  isDocumentPassed,
  isHeldToCanary,
  isLeftByCanary,
} from './canary.ts'
import type { CanaryConfiguration, RotationConfiguration, RotationTiming } from './configuration.ts'
import { ageOf, missingOf } from './gate.ts'
import { leaveOf } from './set-aside.ts'
import { type Decision, type Intent, isRevocation, type Known } from './situation.ts'

/** The next step of bringing the ring to the fleet; `undefined` once every machine has confirmed it. */
export function converge(
  known: Known,
  intent: Intent,
  configuration: RotationConfiguration,
): Decision | undefined {
  const { delivery } = known
  // It was waited for as long as a ring past maxKeyAge may wait.
  if (isUnderWay(delivery) && known.unreachable !== undefined) return undefined
  const isToOne = intent.action === 'deliver' && intent.instance !== undefined
  const { canary } = configuration
  if (isLeftByCanary(known, configuration) && !isUnderWay(delivery) && intent.action !== 'deliver') {
    const reason = `the ring has no canary any more: the others get generation ${delivery.generation} in waves`
    return { action: 'promote', forced: false, reason }
  }
  if (canary === undefined || isToOne || isUnderWay(delivery) || !isHeldToCanary(known, configuration))
    return convergeAll(known, intent, configuration)
  return convergeCanary(known, intent, configuration, canary)
}

function questionOf(known: Known, intent: Intent, configuration: RotationConfiguration): DeliveryQuestion {
  const { target, timing } = configuration
  const { delivery } = known
  return {
    ...known,
    target,
    timing,
    leave: leaveOf(known, configuration),
    byHand: intent.action === 'deliver',
    ...(intent.action === 'deliver' && intent.instance !== undefined ? { only: intent.instance } : {}),
    ramp: !isRevocation(delivery.version),
    // What was committed does not wait for a roll call that cannot be read.
    byTag: true,
    isLate: isLate(known, timing),
    standing: missingOf(delivery),
  }
}

function convergeAll(
  known: Known,
  intent: Intent,
  configuration: RotationConfiguration,
): Decision | undefined {
  const { delivery } = known
  const decision = decideDelivery(questionOf(known, intent, configuration))
  if (decision.action === 'rest') return undefined
  if (decision.action !== 'send') return decision
  const isApart = !isDocumentPassed(known, configuration) && !isRevocation(delivery.version)
  const to = isApart ? apart(decision.to, known) : decision.to
  return { ...decision, to, action: 'deliver' }
}

/** A document that has not passed the canary is brought to its machines alone, by commands of their own; the others keep their program. */
function apart(to: readonly Address[], { fleet, canary }: Known): readonly Address[] {
  const members = canaryFleet(fleet, canary).filter(({ online }) => online)
  const ids = new Set(members.map(({ id }) => id))
  return to.flatMap((address) => {
    if (address.to === 'all') return [{ ...address, ramp: false, canary: true as const }, address]
    const named = address.to.filter((id) => ids.has(id))
    const others = address.to.filter((id) => !ids.has(id))
    return [
      ...(named.length === 0 ? [] : [{ ...address, to: named, canary: true as const }]),
      ...(others.length === 0 ? [] : [{ ...address, to: others }]),
    ]
  })
}

function convergeCanary(
  known: Known,
  intent: Intent,
  configuration: RotationConfiguration,
  canary: CanaryConfiguration,
): Decision {
  const { now, delivery, fleet } = known
  const ends = canaryEnds(known, configuration.timing)
  if (now >= ends) {
    const reason = `the canary has not let generation ${delivery.generation} pass by ${ends.toISOString()}: later, maxKeyAge would cost tickets`
    return { action: 'promote', forced: true, reason }
  }
  const blind = blindness(known, canary)
  if (blind !== undefined) return { action: 'hold', waitsFor: 'canary', page: true, reason: blind }
  if (delivery.attempts > 0 && delivery.membership !== rollCallOf(fleet))
    return { action: 'judge', reason: 'the roll call has changed' }
  const { provedAt } = delivery.canary ?? {}
  if (provedAt !== undefined && intent.action !== 'deliver')
    return decidePromotion(known, provedAt, canary, isLate(known, configuration.timing))
  return deliverToCanary(known, intent, configuration)
}

/** Why nothing can be told of the canary, if so: then the others wait, for what no machine has proved would reach them all. */
function blindness({ fleet, canary }: Known, { tag, values }: CanaryConfiguration): string | undefined {
  if (!fleet.known) return `the roll call was refused: ${fleet.refusal}`
  if (canary?.known !== true)
    return `the canary's machines are not known: ${canary?.refusal ?? 'not looked at'}`
  const members = canaryFleet(fleet, canary)
  if (members.some(({ online }) => online)) return undefined
  const what = `machine of the ring with the tag ${tag}=${values.join('|')}`
  return members.length === 0
    ? `there is no canary: no ${what}`
    : `the canary is away: none of ${counted(members.length, what)} is online`
}

/** By the rules of every delivery, on the canary's machines alone. */
function deliverToCanary(known: Known, intent: Intent, configuration: RotationConfiguration): Decision {
  const members = canaryFleet(known.fleet, known.canary)
  const { tag, values, maxFailures } = configuration.target
  const fleet = { known: true, members } as const
  const delivery = deliveryTo(known.delivery, known.fleet, members)
  const standing = `canary: ${missingOf({ ...known.delivery, ...delivery })}`
  const decision = decideDelivery({
    ...questionOf(known, intent, configuration),
    fleet,
    // Of one fleet alone every size is right.
    carried: {},
    target: { tag, values, ...(maxFailures === undefined ? {} : { maxFailures }) },
    delivery,
    ramp: false,
    standing,
  })
  switch (decision.action) {
    case 'send':
      return { ...decision, to: decision.to.map((to) => ({ ...to, canary: true })), action: 'deliver' }
    case 'rest':
      return { action: 'judge', reason: standing }
    case 'hold':
      return { ...decision, waitsFor: 'canary', page: decision.page || hasFailedTwice(delivery) }
    default:
      return decision
  }
}

/** One bad answer may pass, and a machine that waits for its turn to load does as it is told. */
function hasFailedTwice({ attempts, stragglers }: DeliveryState): boolean {
  return attempts > 1 && stragglers.some(({ code }) => !WAITING.has(code))
}

/** A rotation is due that has to wait: of a ring that an operator paused, or whose calendar is closed, only once it is too old. */
function isLate({ delivery, control, calendar, now }: Known, { every, maxKeyAge }: RotationTiming): boolean {
  const isIntended = control?.paused !== undefined || calendar?.state === 'closed'
  return ageOf(delivery, now) >= (isIntended ? maxKeyAge : every)
}
