import { machineSettings } from '../../lambda/kernel/settings.ts'
import { buildDocument, type FleetDocument } from '../fleet/document.ts'
import { storePath } from '../fleet/names.ts'
import type { Program } from '../program/program.ts'
import { executionWith, patienceSettings } from '../servers/patience.ts'
import { longerToStaple, type StapleServers } from '../servers/servers.ts'
import { SET, type StaplingConfiguration } from './configuration.ts'

// Without a count: RE2 takes no more than 1,000 copies of what is repeated within a repetition. MOST_CERTIFICATES bounds
// what the function says, and the machine looks up none but its own certificates.
const TOLD = '[0-9a-f]{32}=([0-9a-f]{64}|withdrawn)'

/**
 * Builds the document that puts a set's staples in place: `ticketring-staples-<set>-<12 hex>`.
 * @throws TicketringError `configuration-invalid` if the settings cannot travel in a document.
 */
export function buildStapleDocument(set: StaplingConfiguration, program: Program): FleetDocument {
  return buildDocument(
    {
      name: `ticketring-staples-${set.name}`,
      description: `Puts the OCSP staples of set ${set.name} in place and proves it by a handshake`,
      step: 'applyStaples',
      parameter: {
        name: 'Staples',
        description: 'id=sha256 or id=withdrawn, or all',
        default: 'all',
        allowedPattern: `^(all|${TOLD}(,${TOLD})*)$`,
      },
      subject: ['TICKETRING_SET', set.name],
      settings: stapleSettings(set),
      program: set.program,
      kinds: Object.keys(set.servers),
      execution: executionOf(set.servers),
    },
    program,
  )
}

/** Seconds that a run may take on a machine: as many as the slowest kind of these servers needs. */
export function executionOf(servers: StapleServers): number {
  return executionWith(longerToStaple(servers))
}

/** The settings a set's machines start from, in the words of `/etc/ticketring/<set>.staples.conf`. */
function stapleSettings(set: StaplingConfiguration): Readonly<Record<string, string>> {
  const patience = patienceSettings(longerToStaple(set.servers))
  return { STORE: storePath(set.name), ...machineSettings(SET, set), ...patience }
}
