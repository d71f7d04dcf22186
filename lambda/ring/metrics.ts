import { countFailedBy } from '../fleet/instance-remedies.ts'
import { isHeldToCanary } from './canary.ts'
import { ageOf } from './gate.ts'
import type { RotationPorts } from './observation.ts'
import type { Decision, Situation } from './situation.ts'

/** Publishes how the ring stands. */
export function measure(
  ports: RotationPorts,
  situation: Situation,
  decision: Decision,
  forced: boolean,
): void {
  const gauges = gaugesOf(ports, situation)
  if (gauges === undefined) return
  ports.eventLog.record({
    kind: 'measured',
    metrics: { ...gauges, ...signalsOf(ports, situation, decision, forced) },
  })
  for (const { code, machines } of situation.delivery?.failures ?? [])
    ports.eventLog.record({ kind: 'failing', code, machines })
}

function gaugesOf({ clock, configuration }: RotationPorts, situation: Situation) {
  const { fleet, delivery = situation.lost } = situation
  if (delivery !== undefined) {
    const { members, confirmed, stragglers } = delivery
    const isHeld = situation.delivery !== undefined && isHeldToCanary({ delivery }, configuration)
    const bypassed = countFailedBy('auth-bypass', delivery)
    const local = countFailedBy('local-ring', delivery) + (situation.localRings ?? 0)
    return {
      KeyAge: Math.round(ageOf(delivery, clock.now())),
      Members: members,
      // Who waits for the canary is not behind.
      Stragglers: isHeld ? stragglers.length : members - confirmed,
      // A metric costs by the hour in which it is written: most rings have none of it.
      ...(bypassed === 0 ? {} : { AuthBypass: bypassed }),
      ...(local === 0 ? {} : { LocalRing: local }),
      ...(situation.driftRepaired === undefined ? {} : { DriftRepaired: situation.driftRepaired }),
      ...(situation.controlProblem === undefined ? {} : { ControlInvalid: 1 }),
    }
  }
  // A ring that starts paused has no key that could be too old: the function runs, and says so.
  const Members = fleet.known ? fleet.members.length : 0
  return configuration.start === 'paused' ? { KeyAge: 0, Members, Stragglers: 0 } : undefined
}

function signalsOf(
  { clock, configuration }: RotationPorts,
  { delivery }: Situation,
  decision: Decision,
  forced: boolean,
) {
  const pages = decision.action === 'hold' && decision.page
  const isCanarys = pages && decision.waitsFor === 'canary'
  // A generation that is not due to be replaced holds no rotation up.
  const isDue = delivery !== undefined && ageOf(delivery, clock.now()) >= configuration.timing.every
  return {
    ...(isCanarys ? { CanaryFailed: 1 } : {}),
    RotationHeld: pages && (!isCanarys || isDue) ? 1 : 0,
    ...(forced ? { RotationForced: 1 } : {}),
  }
}
