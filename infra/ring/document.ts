import { machineSettings } from '../../lambda/kernel/settings.ts'
import { canaryEndsAfter } from '../../lambda/ring/configuration.ts'
import { buildDocument, type FleetDocument } from '../fleet/document.ts'
import { listenersText } from '../fleet/machines.ts'
import { groupName, secretName } from '../fleet/names.ts'
import type { Program } from '../program/program.ts'
import { executionWith, patienceSettings } from '../servers/patience.ts'
import { type KeyServers, namedIn } from '../servers/servers.ts'
import { RING, type RingConfiguration } from './configuration.ts'
import { isGuarded } from './trust-group.ts'

/**
 * Builds the document that puts a ring in place: `ticketring-<ring>-<12 hex>`.
 * @throws TicketringError `configuration-invalid` if the settings cannot travel in a document.
 */
export function buildRingDocument(ring: RingConfiguration, program: Program): FleetDocument {
  return buildDocument(
    {
      name: groupName(ring.name),
      description: `Puts the TLS session-ticket keys of ring ${ring.name} in place and proves it by a handshake`,
      step: 'applyRing',
      parameter: {
        name: 'Generation',
        description: 'The least generation that counts as success; the machine fetches the ring by itself',
        default: '1',
        allowedPattern: '^[1-9][0-9]{0,11}$',
      },
      subject: ['TICKETRING_RING', ring.name],
      settings: ringSettings(ring),
      program: ring.program,
      kinds: Object.keys(ring.servers),
      execution: executionOf(ring.servers),
    },
    program,
  )
}

/** Seconds that a run may take on a machine: as many as the slowest kind of these servers needs. */
export function executionOf(servers: KeyServers): number {
  return executionWith(longerOf(servers))
}

function longerOf(servers: KeyServers): number {
  return Math.max(0, ...namedIn(servers).map(({ facts }) => facts.longer ?? 0))
}

/** The settings a ring's machines start from, in the words of `/etc/ticketring/<ring>.conf`. */
export function ringSettings(ring: RingConfiguration): Readonly<Record<string, string>> {
  const guarded = ring.mixedClientAuthentication === undefined ? {} : guardedSettings(ring.servers)
  return {
    SECRET: secretName(ring.name),
    ...machineSettings(RING, ring),
    ...guarded,
    ...canarySettings(ring),
    ...patienceSettings(longerOf(ring.servers)),
  }
}

/** For how long a machine may stay one generation behind that no command has told it to go on: the canary's is not its own. */
function canarySettings({ canary, rotation }: RingConfiguration): Readonly<Record<string, string>> {
  return canary === undefined ? {} : { STAY_BEHIND: String(canaryEndsAfter(rotation)) }
}

/** Of the listeners to verify, those that a ticket of the others must not open. */
function guardedSettings(servers: KeyServers): Readonly<Record<string, string>> {
  const entries = namedIn(servers)
    .map(({ kind, values }) => [`${kind.toUpperCase()}_GUARDED`, values.verify.filter(isGuarded)] as const)
    .filter(([, guarded]) => guarded.length > 0)
  return Object.fromEntries(entries.map(([name, guarded]) => [name, listenersText(guarded)]))
}
