import type { Inspection, Section } from './inspection.ts'

// Of the partitions aws, aws-us-gov and aws-cn: the machines make an endpoint's name from such a Region, and a new one is
// named like the others. Those of the isolated and of the European sovereign partitions end otherwise.
const REGION =
  /^((af|ap|ca|eu|il|me|mx|sa|us|us-gov)-(central|(north|south)?(east|west)|north|south)|cn-(north|northwest))-\d$/
const WANTED =
  'a Region of the partitions aws, aws-us-gov or aws-cn: the endpoints of others are not known here'

/** The Region that is deployed to: the configured one, else that of the CLI, which may not be known yet. */
export interface Regions {
  readonly configured: readonly string[]
  readonly deployed: string | undefined
}

export function readRegions(inspection: Inspection, top: Section, ofTheCli: string | undefined): Regions {
  const configured = top.has('regions') ? readConfigured(inspection, top) : []
  const [deployed = ofTheCli] = configured
  if (configured.length === 0 && ofTheCli !== undefined && !REGION.test(ofTheCli)) {
    inspection.note(top.at('regions'), `${WANTED}; or the CLI at such a one`, ofTheCli)
  }
  return { configured, deployed: deployed === '' ? undefined : deployed }
}

function readConfigured(inspection: Inspection, top: Section): readonly string[] {
  const of = 'Region: a ring that spans several, with a replicated secret, is not there yet'
  return top.list('regions', { least: 1, most: 1, of }, (item, path) => {
    if (typeof item === 'string' && REGION.test(item)) return item
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
  // Where nobody has said where to, all of them have to be of one Region at least.
  const wanted = deployed ?? all[0]?.region
  for (const { at, arn, region } of all) {
    if (region !== wanted) inspection.note(at, `an ARN of ${wanted}, where everything else is`, arn)
  }
}
