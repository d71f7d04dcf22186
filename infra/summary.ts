import type { RingConfiguration } from './configuration.ts'
import { durationText } from './inspection.ts'
import type { RingDocument } from './ring-document.ts'

/** One ring as synthesised: its configuration and the names of what it deploys. */
export interface SynthesisedRing extends RingConfiguration {
  readonly secretName: string
  readonly functionName: string
  readonly recordName: string
  readonly document: RingDocument
}

/** A ring in a few lines: which machines, how long keys and tickets live, what it may touch. */
export function ringSummary(ring: SynthesisedRing): readonly string[] {
  const { targets, rotation, fleetRoles } = ring
  const { every, ticketLifetime, maxKeyAge, trigger } = rotation
  const rotator = trigger === 'schedule' ? 'EventBridge Scheduler' : 'Secrets Manager'
  return [
    `ring ${ring.name}: machines tagged ${targets.tag} = ${targets.values.join(' or ')}, at least ${targets.minInstances}, with ${Object.keys(ring.servers).join(' and ')}`,
    `  keys: a new one every ${durationText(every)} by ${rotator}; each lives ${durationText(3 * every)}, at most ${durationText(3 * maxKeyAge)} if machines hold it up; tickets live ${durationText(ticketLifetime)}`,
    `  may touch: secret ${ring.secretName}, parameter ${ring.recordName}, and those machines with document ${ring.document.name}`,
    `  may be read by: ${fleetRoles.length === 0 ? 'nobody yet: name the machines’ roles in fleetRoles' : `role ${fleetRoles.join(', ')}`}`,
  ]
}
