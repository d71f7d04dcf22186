import { fleetTrouble, isConverged, later, missingOf, rollCallOf } from './gate.ts'
import { backOff, redeliveryTargets } from './redelivery.ts'
import type { RotationConfiguration } from './rotation-configuration.ts'
import type { Decision, Intent, Known } from './situation.ts'

/** The next step of bringing the ring to the fleet; `undefined` once every machine has confirmed it. */
export function converge(
  known: Known,
  intent: Intent,
  configuration: RotationConfiguration,
): Decision | undefined {
  const { delivery, fleet, carried } = known
  const last = delivery.commands.at(-1)
  if (last !== undefined && !last.judged) {
    return { action: 'await', reason: `command ${last.id} is under way` }
  }
  if (intent.action === 'deliver') return { action: 'deliver', to: 'all', reason: 'asked for by hand' }
  const trouble = fleetTrouble({ fleet, carried, target: configuration.target })
  if (delivery.attempts === 0 && mayReachSomebody(known)) {
    return { action: 'deliver', to: 'all', reason: missingOf(delivery) }
  }
  if (trouble !== undefined) return { action: 'hold', waitsFor: 'fleet', page: true, reason: trouble }
  if (delivery.membership !== rollCallOf(fleet))
    return { action: 'judge', reason: 'the roll call has changed' }
  return isConverged(delivery) ? undefined : redeliver(known, configuration)
}

/** What was committed does not wait for a roll call that cannot be read: its command goes by the tag. */
function mayReachSomebody({ fleet }: Known): boolean {
  return !fleet.known || fleet.members.length > 0
}

function redeliver(known: Known, { timing }: RotationConfiguration): Decision {
  const { delivery, now } = known
  const last = delivery.commands.at(-1)
  const due = later(last?.sentAt ?? now, backOff(delivery.attempts, delivery.version, timing.tick))
  const reason = missingOf(delivery)
  if (now >= due) return { action: 'deliver', to: redeliveryTargets(delivery), reason }
  const page = now >= later(delivery.rotatedAt, timing.every)
  return { action: 'hold', waitsFor: 'convergence', until: due, page, reason }
}
