import { freeze, Inspection, type Section } from './inspection.ts'
import { type RingConfiguration, readRing } from './ring-configuration.ts'
import { readSet, type StaplingConfiguration } from './stapling-configuration.ts'

/** The whole of `cdk.json`'s context `ticketring`. */
export interface Configuration {
  readonly rings: readonly RingConfiguration[]
  /** Sets of certificates whose OCSP responses are stapled. */
  readonly stapling: readonly StaplingConfiguration[]
  /** ARN of the SNS topic that alarms tell. */
  readonly alarmTopic?: string
  /** One for now; none means the Region of whoever deploys. */
  readonly regions: readonly string[]
}

const TOPIC = /^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}(\.fifo)?$/
const REGION = /^[a-z]{2,4}(-[a-z]+)+-\d$/

/**
 * Reads the context `ticketring`.
 * @throws TicketringError `configuration-invalid` that lists every problem with its path, what was wanted and what came.
 */
export function parseConfiguration(value: unknown): Configuration {
  const inspection = new Inspection()
  const top = inspection.section('ticketring', value, ['rings', 'stapling', 'alarmTopic', 'regions'])
  const configuration = {
    rings: readNamed(inspection, top, { field: 'rings', of: 'rings', least: leastRings(top) }, readRing),
    stapling: top.has('stapling')
      ? readNamed(inspection, top, { field: 'stapling', of: 'sets of certificates', least: 0 }, readSet)
      : [],
    regions: readRegions(top),
    ...(top.has('alarmTopic')
      ? { alarmTopic: top.text('alarmTopic', TOPIC, 'the ARN of an SNS topic') }
      : {}),
  }
  inspection.settle('a sound context "ticketring" in cdk.json')
  return freeze(configuration)
}

/** Somebody may want staples alone. */
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

function readRegions(top: Section): readonly string[] {
  if (!top.has('regions')) return []
  return top.texts('regions', REGION, {
    least: 1,
    most: 1,
    of: 'Region: a ring that spans several, with a replicated secret, is not there yet',
  })
}
