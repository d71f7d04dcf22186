import { isRefusal } from '../../lambda/kernel/errors.ts'
import { freeze, Inspection, type Section } from '../fleet/inspection.ts'
import { readRegions, refuseForeign } from '../fleet/regions.ts'
import { ownProgram } from '../program/program.ts'
import { type RingConfiguration, readRing } from '../ring/configuration.ts'
import { refuseCommon } from '../ring/meeting.ts'
import { readSet, type StaplingConfiguration } from '../stapling/configuration.ts'
import { buildStapleDocument } from '../stapling/document.ts'
import {
  type AlarmConfiguration,
  type LogConfiguration,
  readAlarms,
  readLogs,
} from './operations-configuration.ts'

/** The whole of `cdk.json`'s context `ticketring`. */
export interface Configuration {
  readonly rings: readonly RingConfiguration[]
  /** Sets of certificates whose OCSP responses are stapled. */
  readonly stapling: readonly StaplingConfiguration[]
  /** Whom alarms tell. */
  readonly alarms: AlarmConfiguration
  readonly logs: LogConfiguration
  /** One for now; none means the Region that `cdk deploy` is run for. */
  readonly regions: readonly string[]
}

const FIELDS = ['rings', 'stapling', 'alarms', 'alarmTopic', 'logs', 'regions']

/**
 * Reads the context `ticketring`. `region`: the CLI's, which is deployed to where the configuration names none.
 * @throws TicketringError `configuration-invalid` that lists every problem with its path, what was wanted and what came.
 */
export function parseConfiguration(
  value: unknown,
  { region }: { readonly region?: string | undefined } = {},
): Configuration {
  const inspection = new Inspection()
  const top = inspection.section('ticketring', value, FIELDS)
  const rings = readNamed(inspection, top, { field: 'rings', of: 'rings', least: leastRings(top) }, readRing)
  refuseCommon(inspection, rings, top.at('rings'))
  const stapling = top.has('stapling')
    ? readNamed(inspection, top, { field: 'stapling', of: 'sets of certificates', least: 0 }, readSet)
    : []
  refuseLargeDocuments(inspection, stapling, top.at('stapling'))
  const regions = readRegions(inspection, top, region)
  const configuration = {
    rings,
    stapling,
    regions: regions.configured,
    alarms: readAlarms(top),
    logs: readLogs(top),
  }
  refuseForeign(inspection, value, top.path, regions.deployed)
  inspection.settle('a sound context "ticketring" in cdk.json')
  return freeze(configuration)
}

/** A document is built from what is sound: its size is a problem beside those of the other sets. */
function refuseLargeDocuments(
  inspection: Inspection,
  sets: readonly StaplingConfiguration[],
  path: string,
): void {
  sets.forEach((set, index) => {
    const at = `${path}[${index}]`
    if (inspection.hasProblemsBelow(at)) return
    try {
      buildStapleDocument(set, ownProgram())
    } catch (error) {
      if (!isRefusal(error, 'configuration-invalid')) throw error
      inspection.note(`${at}.servers`, `${error.wanted}. ${error.fix}`, error.came)
    }
  })
}

/** An owner may want staples alone. */
function leastRings(top: Section): number {
  const stapling = top.raw('stapling')
  return Array.isArray(stapling) && stapling.length > 0 ? 0 : 1
}

/** Reads a list whose items have a name each, and no two the same. */
function readNamed<T extends { readonly name: string }>(
  inspection: Inspection,
  top: Section,
  { field, of, least }: { readonly field: string; readonly of: string; readonly least: number },
  read: (inspection: Inspection, item: unknown, path: string) => T,
): readonly T[] {
  if (least === 0 && !top.has(field)) return []
  const items = top.list(field, { least, most: Number.POSITIVE_INFINITY, of }, (item, path) =>
    read(inspection, item, path),
  )
  inspection.refuseRepeated(
    top.at(field),
    items.map(({ name }) => name),
  )
  return items
}
