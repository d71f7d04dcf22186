import type { Inspection, Place } from '../../lambda/kernel/inspection.ts'
import { list, text } from '../../lambda/kernel/kinds.ts'

/** The partitions whose endpoints the machines know. Source: botocore's partitions.json. */
const PARTITIONS = [
  { name: 'aws', areas: 'af|ap|ca|eu|il|me|mx|sa|us', suffix: 'amazonaws.com' },
  { name: 'aws-us-gov', areas: 'us-gov', suffix: 'amazonaws.com' },
  { name: 'aws-cn', areas: 'cn', suffix: 'amazonaws.com.cn' },
  { name: 'aws-eusc', areas: 'eusc-de', suffix: 'amazonaws.eu' },
  { name: 'aws-iso', areas: 'us-iso', suffix: 'c2s.ic.gov' },
  { name: 'aws-iso-b', areas: 'us-isob', suffix: 'sc2s.sgov.gov' },
  { name: 'aws-iso-e', areas: 'eu-isoe', suffix: 'cloud.adc-e.uk' },
  { name: 'aws-iso-f', areas: 'us-isof|eu-isof', suffix: 'csp.hci.ic.gov' },
].map(({ name, areas, suffix }) => ({
  name,
  suffix,
  // A new Region is named like the others; any other word is a mistyped one.
  regions: new RegExp(`^(${areas})-(central|(north|south)?(east|west)|north|south)-\\d$`),
}))
const WANTED = `a Region of one of the partitions ${PARTITIONS.map(({ name }) => name).join(', ')}: the endpoints of others are not known here`

/** What ends the names of a Region's endpoints; `undefined` of a Region that is not known. */
export function endpointSuffix(region: string): string | undefined {
  return PARTITIONS.find(({ regions }) => regions.test(region))?.suffix
}

const region = text((name) => endpointSuffix(name) !== undefined, WANTED)
export const regions = list(region, {
  least: 1,
  most: 1,
  of: 'Region: a ring that spans several, with a replicated secret, is not there yet',
})

/** Notes a Region of the CLI that is not known, where none is configured. @returns the Region that is deployed to, which may not be known yet. */
export function deployedTo(
  configured: readonly string[],
  ofTheCli: string | undefined,
  place: Place,
): string | undefined {
  const [deployed = ofTheCli] = configured
  if (configured.length === 0 && ofTheCli !== undefined && endpointSuffix(ofTheCli) === undefined) {
    place.note(`${WANTED}; or the CLI at such a one`, ofTheCli)
  }
  return deployed === '' ? undefined : deployed
}

/** Every ARN of a value with its path. */
function arnsIn(value: unknown, path: string): readonly (readonly [path: string, arn: string])[] {
  if (typeof value === 'string') return value.startsWith('arn:') ? [[path, value]] : []
  if (typeof value !== 'object' || value === null) return []
  const place = (key: string) => (Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`)
  return Object.entries(value).flatMap(([key, inner]) => arnsIn(inner, place(key)))
}

/** Notes each ARN of another Region than the one deployed to, as it was written: nothing of ours reaches into another. */
export function refuseForeign(
  configuration: unknown,
  deployed: string | undefined,
  { inspection, path }: { readonly inspection: Inspection; readonly path: string },
): void {
  const all = arnsIn(configuration, path)
    .map(([at, arn]) => ({ at, arn, region: arn.split(':')[3] ?? '' }))
    .filter((each) => each.region !== '')
  // Where no Region is named, all of them have to be of one Region at least.
  const wanted = deployed ?? all[0]?.region
  for (const each of all) {
    if (each.region !== wanted)
      inspection.note(each.at, `an ARN of ${wanted}, where everything else is`, each.arn)
  }
}
