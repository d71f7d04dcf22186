import { isRefusal } from '../../lambda/kernel/errors.ts'
import { Inspection, Place } from '../../lambda/kernel/inspection.ts'
import { flag, list } from '../../lambda/kernel/kinds.ts'
import { object, optional, refuseNamesakes, setting, type Values } from '../../lambda/kernel/settings.ts'
import { freeze } from '../fleet/inspection.ts'
import { deployedTo, refuseForeign, regions } from '../fleet/regions.ts'
import { ownProgram } from '../program/program.ts'
import { type RingConfiguration, ring } from '../ring/configuration.ts'
import { refuseCommon } from '../ring/ring-conflicts.ts'
import { type StaplingConfiguration, set } from '../stapling/configuration.ts'
import { buildStapleDocument } from '../stapling/document.ts'
import { alarms, logs, topic } from './operations-configuration.ts'

/** The whole of `cdk.json`'s context `ticketring`. */
export const TICKETRING = {
  rings: setting(list(ring, { least: 0, of: 'rings' }, { check: refuseMeeting }), { normal: [] }),
  /** Sets of certificates whose OCSP responses are stapled. */
  stapling: setting(list(set, { least: 0, of: 'sets of certificates' }, { check: refuseSets }), {
    normal: [],
  }),
  alarms: setting(alarms),
  alarmTopic: optional(topic, { says: 'one topic for both, in place of `alarms`' }),
  logs: setting(logs),
  terminationProtection: setting(flag, {
    says: '`false` lets both stacks be deleted: a deploy with it comes before [a deletion](runbook.md#after-deleting-the-stack)',
    normal: true,
  }),
  regions: setting(regions, {
    says: "one Region for now, of the partitions aws, aws-us-gov, aws-cn, aws-eusc, aws-iso, -iso-b, -iso-e or -iso-f, by botocore's list; every ARN is of that Region. Name it where its endpoints do not end in amazonaws.com",
    normal: [],
  }),
}
type Context = Values<typeof TICKETRING>
export type Configuration = Omit<Context, 'alarmTopic'>

/**
 * Reads the context `ticketring`. `region`: the CLI's, which is deployed to where the configuration names none.
 * @throws TicketringError `configuration-invalid` that lists every problem with its path, what was wanted and what came.
 */
export function parseConfiguration(
  value: unknown,
  { region }: { readonly region?: string | undefined } = {},
): Configuration {
  const inspection = new Inspection()
  const place = new Place(inspection, 'ticketring')
  const { alarmTopic, ...read } = object(TICKETRING, refuseTogether).read(value, place, {})
  const deployed = deployedTo(read.regions, region, place.at('regions'))
  refuseForeign(value, deployed, { inspection, path: place.path })
  inspection.settle('a sound context "ticketring" in cdk.json')
  // One topic alone means it for both kinds of alarms.
  return freeze({ ...read, alarms: alarmTopic === undefined ? read.alarms : { page: alarmTopic } })
}

function refuseTogether({ rings, stapling, alarms: told, alarmTopic }: Context, place: Place): void {
  // An owner may want staples alone.
  if (rings.length === 0 && stapling.length === 0 && place.isSound())
    place.at('rings').note('a list of 1 or more rings', rings)
  if (alarmTopic !== undefined && Object.keys(told).length > 0) {
    place.at('alarmTopic').note('absent beside alarms, which names topics itself', alarmTopic)
  }
}

function refuseMeeting(rings: readonly RingConfiguration[], place: Place): void {
  refuseNamesakes(rings, place)
  refuseCommon(rings, place)
}

function refuseSets(sets: readonly StaplingConfiguration[], place: Place): void {
  refuseNamesakes(sets, place)
  sets.forEach((each, index) => {
    refuseLargeDocument(each, place.at(index))
  })
}

/** A document is built from what is sound: its size is a problem beside those of the other sets. */
function refuseLargeDocument(one: StaplingConfiguration, place: Place): void {
  if (!place.isSound()) return
  try {
    buildStapleDocument(one, ownProgram())
  } catch (error) {
    if (!isRefusal(error, 'configuration-invalid')) throw error
    place.at('servers').note(`${error.wanted}. ${error.fix}`, error.came)
  }
}
