import { durationText, type Inspection, type Section } from './inspection.ts'

/** How the program on the machines is kept going. */
export interface DeliveryConfiguration {
  /** Seconds from one run on each machine to the next, whatever was delivered. */
  readonly repairEvery: number
  /** Where the machines find the one service that they ask, if not at the usual address of their Region. */
  readonly endpoints?: Endpoints
  /** The document brings no program: it calls the one of a package, if that is the very program of this release. */
  readonly program?: 'installed'
}

/** By the service's name in its endpoint: a FIPS or dual-stack one, or that of an interface VPC endpoint. */
export interface Endpoints {
  readonly secretsmanager?: string
  readonly ssm?: string
}

export const DELIVERY_FIELDS = ['repairEvery', 'endpoints', 'program'] as const

const MINUTE = 60
const HOUR = 60 * MINUTE

/** @param service the one that the machines ask. */
export function readDelivery(
  inspection: Inspection,
  owner: Section,
  service: keyof Endpoints,
): DeliveryConfiguration {
  const program = owner.oneOf('program', ['delivered', 'installed'], 'delivered')
  return {
    repairEvery: readRepair(inspection, owner),
    ...(owner.has('endpoints')
      ? { endpoints: readEndpoints(owner.section('endpoints', [service]), service) }
      : {}),
    ...(program === 'installed' ? { program } : {}),
  }
}

function readRepair(inspection: Inspection, owner: Section): number {
  const every = owner.duration('repairEvery', 30 * MINUTE)
  // Source: Systems Manager user guide, cron and rate expressions: an association's rate is 30 minutes or more.
  const wanted = 'whole minutes from 30m, the least of State Manager, to 6h'
  const isOff = every < 30 * MINUTE || every > 6 * HOUR || every % MINUTE > 0
  if (isOff) inspection.note(owner.at('repairEvery'), wanted, durationText(every))
  return every
}

function readEndpoints(endpoints: Section, service: keyof Endpoints): Endpoints {
  return { [service]: endpoints.text(service, isEndpoint, 'an https URL of a host alone, without a path') }
}

function isEndpoint(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url?.protocol === 'https:' && /^[a-z0-9.-]+$/.test(url.hostname) && url.origin === text
}

/** In the words of a machine's configuration file. */
export function endpointSettings({
  endpoints = {},
}: DeliveryConfiguration): Readonly<Record<string, string>> {
  const named = Object.entries(endpoints).map(([service, url]) => [`ENDPOINT_${service.toUpperCase()}`, url])
  return Object.fromEntries(named)
}

/** As an association's schedule says it. */
export function rateOf(seconds: number): string {
  const [count, unit] = seconds % HOUR === 0 ? [seconds / HOUR, 'hour'] : [seconds / MINUTE, 'minute']
  return `rate(${count} ${unit}${count === 1 ? '' : 's'})`
}
