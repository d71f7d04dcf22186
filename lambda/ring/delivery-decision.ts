import { decideDelivery } from '../fleet/delivery-decision.ts'
import { isUnderWay } from '../fleet/delivery-state.ts'
import type { RotationConfiguration, RotationTiming } from './configuration.ts'
import { ageOf, missingOf } from './gate.ts'
import { leaveOf } from './set-aside.ts'
import { type Decision, type Intent, isRevocation, type Known } from './situation.ts'

/** The next step of bringing the ring to the fleet; `undefined` once every machine has confirmed it. */
export function converge(
  known: Known,
  intent: Intent,
  configuration: RotationConfiguration,
): Decision | undefined {
  const { target, timing } = configuration
  const { delivery } = known
  // It was waited for as long as a ring past maxKeyAge may wait.
  if (isUnderWay(delivery) && known.unreachable !== undefined) return undefined
  const decision = decideDelivery({
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
  })
  if (decision.action === 'rest') return undefined
  return decision.action === 'send' ? { ...decision, action: 'deliver' } : decision
}

/** A rotation is due that has to wait: of a ring that an operator paused, only once it is too old. */
function isLate({ delivery, control, now }: Known, { every, maxKeyAge }: RotationTiming): boolean {
  return ageOf(delivery, now) >= (control?.paused === undefined ? every : maxKeyAge)
}
