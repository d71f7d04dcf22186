import { holdersOf, noteSize } from '../fleet/convergence.ts'
import { isConverged } from '../fleet/delivery-state.ts'
import { fleetTrouble, rollCallOf } from '../fleet/membership.ts'
import { isStopped } from '../fleet/redelivery.ts'
import { type Address, addressees } from '../fleet/rollout.ts'
import { later } from '../kernel/time.ts'
import type { RotationConfiguration } from './configuration.ts'
import { missingOf } from './gate.ts'
import { type Decision, type Intent, isRevocation, type Known } from './situation.ts'

/** The next step of bringing the ring to the fleet; `undefined` once every machine has confirmed it. */
export function converge(
  known: Known,
  intent: Intent,
  configuration: RotationConfiguration,
): Decision | undefined {
  const { delivery, fleet } = known
  const last = delivery.commands.at(-1)
  if (last !== undefined && !last.judged) {
    // It was waited for as long as a ring past maxKeyAge may wait.
    if (known.unreachable !== undefined) return undefined
    return { action: 'await', reason: `command ${last.id} is under way` }
  }
  if (intent.action === 'deliver') return byHand(known, configuration)
  if (wasRefused(known)) return redeliver(known, configuration)
  const trouble = fleetTrouble({ ...known, target: configuration.target })
  if (delivery.attempts === 0 && !isEmpty(known)) return deliverTo(known, configuration, missingOf(delivery))
  if (trouble !== undefined)
    return noteSize(known) ?? { action: 'hold', waitsFor: 'fleet', page: true, reason: trouble }
  if (delivery.membership !== rollCallOf(fleet))
    return { action: 'judge', reason: 'the roll call has changed' }
  return isConverged(delivery) ? undefined : redeliver(known, configuration)
}

/** What was committed does not wait for a roll call that cannot be read: its command goes by the tag. */
function isEmpty({ fleet }: Known): boolean {
  return fleet.known && fleet.members.length === 0
}

/** Sends it to those that lack it and are online; the others are reached when they come back. */
function deliverTo(known: Known, configuration: RotationConfiguration, reason: string): Decision {
  const to = addresseesOf(known, configuration)
  if (to.length > 0) return { action: 'deliver', to, reason }
  return { action: 'hold', waitsFor: 'convergence', page: isLate(known, configuration), reason }
}

/** Also to those that hold it, and without a ramp. */
function byHand({ fleet, delivery }: Known, { target, timing }: RotationConfiguration): Decision {
  const afresh = { ...delivery, attempts: 0, stragglers: [] }
  const to = addressees({ fleet, delivery: afresh, holders: new Set(), ramp: false, target, timing })
  if (to.length > 0) return { action: 'deliver', to, reason: 'asked for by hand' }
  return { action: 'hold', waitsFor: 'fleet', page: false, reason: 'no machine is online to deliver to' }
}

/** A command that could not be sent is not sent again at once. */
function wasRefused({ delivery, now }: Known): boolean {
  return delivery.unsent !== undefined && delivery.nextAt !== undefined && now < delivery.nextAt
}

/** Whom the next commands of this ring go to. */
export function addresseesOf(
  { fleet, delivery }: Pick<Known, 'fleet' | 'delivery'>,
  { target, timing }: RotationConfiguration,
): readonly Address[] {
  const holders = holdersOf(delivery, fleet) ?? new Set<string>()
  return addressees({ fleet, delivery, holders, ramp: !isRevocation(delivery.version), target, timing })
}

function redeliver(known: Known, configuration: RotationConfiguration): Decision {
  const { delivery, now } = known
  const stopped = isStopped(delivery, configuration.target)
  const reason = missingOf(delivery)
  const until = delivery.nextAt ?? later(delivery.commands.at(-1)?.sentAt ?? now, configuration.timing.tick)
  if (now >= until) return deliverTo(known, configuration, reason)
  const page = stopped || delivery.unsent !== undefined || isLate(known, configuration)
  return { action: 'hold', waitsFor: 'convergence', until, page, reason }
}

function isLate({ delivery, now }: Known, { timing }: RotationConfiguration): boolean {
  return now >= later(delivery.rotatedAt, timing.every)
}
