import type { Inspection, Section } from './inspection.ts'

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

/** The Region that is deployed to: the configured one, else that of the CLI, which may not be known yet. */
export interface Regions {
  readonly configured: readonly string[]
  readonly deployed: string | undefined
}

export function readRegions(inspection: Inspection, top: Section, ofTheCli: string | undefined): Regions {
  const configured = top.has('regions') ? readConfigured(inspection, top) : []
  const [deployed = ofTheCli] = configured
  if (configured.length === 0 && ofTheCli !== undefined && endpointSuffix(ofTheCli) === undefined) {
    inspection.note(top.at('regions'), `${WANTED}; or the CLI at such a one`, ofTheCli)
  }
  return { configured, deployed: deployed === '' ? undefined : deployed }
}

function readConfigured(inspection: Inspection, top: Section): readonly string[] {
  const of = 'Region: a ring that spans several, with a replicated secret, is not there yet'
  return top.list('regions', { least: 1, most: 1, of }, (item, path) => {
    if (typeof item === 'string' && endpointSuffix(item) !== undefined) return item
    inspection.note(path, WANTED, item)
    return ''
  })
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
  inspection: Inspection,
  configuration: unknown,
  path: string,
  deployed: string | undefined,
): void {
  const all = arnsIn(configuration, path)
    .map(([at, arn]) => ({ at, arn, region: arn.split(':')[3] ?? '' }))
    .filter(({ region }) => region !== '')
  // Where no Region is named, all of them have to be of one Region at least.
  const wanted = deployed ?? all[0]?.region
  for (const { at, arn, region } of all) {
    if (region !== wanted) inspection.note(at, `an ARN of ${wanted}, where everything else is`, arn)
  }
}
