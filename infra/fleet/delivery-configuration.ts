import { type DurationRule, duration, refuseDurations } from '../../lambda/kernel/durations.ts'
import { flag, oneOf, text } from '../../lambda/kernel/kinds.ts'
import { type Kind, object, optional, setting, type Values } from '../../lambda/kernel/settings.ts'

const MINUTE = 60
const HOUR = 60 * MINUTE

// Source: Systems Manager user guide, cron and rate expressions: an association's rate is 30 minutes or more.
const RULES: readonly DurationRule<{ repairEvery: number }>[] = [
  [
    'repairEvery',
    'whole minutes from 30m, the least of State Manager, to 6h',
    ({ repairEvery: every }) => every < 30 * MINUTE || every > 6 * HOUR || every % MINUTE > 0,
  ],
]

/** Notes what no association can do. */
export const refuseRepair = (
  values: { readonly repairEvery: number },
  place: Parameters<typeof refuseDurations>[2],
) => refuseDurations(RULES, values, place)

const yesOrNo: Kind<boolean> = { ...flag, text: (value) => (value ? 'yes' : 'no') }

const endpoint = text(isEndpoint, 'an https URL of a host alone, without a path')

/**
 * How the program on the machines is kept going.
 * @param endpoints of the services that the machines ask.
 */
export function deliverySettings<E>(endpoints: Kind<E>) {
  return {
    repairEvery: setting(duration, {
      says: "from one run on each machine to the next, whatever was delivered: 30 minutes, State Manager's least, to 6 hours; a revoke reaches a machine that missed its command no later. It is most of the [bill](operations.md#costs)",
      normal: 30 * MINUTE,
      machine: 'REPAIR_EVERY',
    }),
    endpoints: optional(endpoints, {
      says: '`secretsmanager` and `autoscaling` (for `launchGroups`) of a ring, `ssm` of a set: https URL of the host where the machines find the service: a FIPS or dual-stack endpoint, or that of an interface VPC endpoint',
    }),
    boot: optional(yesOrNo, {
      says: '`false` leaves the [units of systemd](machines.md#boot-and-timer) out, and removes those that an earlier delivery brought: what a machine needs before its server starts, and the timer by which it fetches without Run Command',
      usual: true,
      machine: 'BOOT',
    }),
    program: optional(oneOf('delivered', 'installed'), {
      says: "`delivered`: the document brings the program; `installed`: it calls the one of [this release's package](machines.md#what-is-on-a-machine), found by its SHA-256",
      usual: 'delivered',
    }),
  }
}

export const ringEndpoints = object({
  secretsmanager: optional(endpoint, { machine: 'ENDPOINT_SECRETSMANAGER' }),
  autoscaling: optional(endpoint, { machine: 'ENDPOINT_AUTOSCALING' }),
})
export const setEndpoints = object({ ssm: setting(endpoint, { machine: 'ENDPOINT_SSM' }) })

export type DeliveryConfiguration = Values<ReturnType<typeof deliverySettings<Endpoints>>>
/** By the service's name in its endpoint: a FIPS or dual-stack one, or that of an interface VPC endpoint. */
export interface Endpoints {
  /**
   * Of a ring.
   * @default - the usual endpoint of its machines' Region
   */
  readonly secretsmanager?: string
  /**
   * Of a ring with `launchGroups`.
   * @default - the usual endpoint of its machines' Region
   */
  readonly autoscaling?: string
  /**
   * Of a set of staples.
   * @default - the usual endpoint of its machines' Region
   */
  readonly ssm?: string
}

function isEndpoint(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined
  return url?.protocol === 'https:' && /^[a-z0-9.-]+$/.test(url.hostname) && url.origin === value
}

/** As an association's schedule says it. */
export function rateOf(seconds: number): string {
  const [count, unit] = seconds % HOUR === 0 ? [seconds / HOUR, 'hour'] : [seconds / MINUTE, 'minute']
  return `rate(${count} ${unit}${count === 1 ? '' : 's'})`
}
