import type { Leave } from '../fleet/leave.ts'
import type { Fleet } from '../fleet/membership.ts'
import { mayLagOf, type RotationConfiguration } from './configuration.ts'
import type { Quarantine } from './control.ts'
import type { Situation } from './situation.ts'

/** Percent of the fleet that may be set aside at the same time. */
const SHARE = 10

/** How many machines of a fleet may be set aside; at least one. */
export function mostQuarantined(members: number): number {
  return Math.max(1, Math.floor((members * SHARE) / 100))
}

/** Those of the machines that are there which are set aside: as many as may be, and no more where a person wrote more. */
function asideOf(quarantine: readonly Quarantine[], fleet: Fleet): readonly Quarantine[] {
  if (!fleet.known) return []
  const present = new Set(fleet.members.map(({ id }) => id))
  return quarantine.filter(({ instance }) => present.has(instance)).slice(0, mostQuarantined(present.size))
}

/** Whom the others need not wait for. */
export function leaveOf(
  { control, fleet }: Pick<Situation, 'control' | 'fleet'>,
  configuration: Pick<RotationConfiguration, 'mayLag'>,
): Leave {
  const aside = asideOf(control?.quarantine ?? [], fleet).map(({ instance }) => instance)
  return { aside: new Set(aside), mayLag: mayLagOf(configuration) }
}
