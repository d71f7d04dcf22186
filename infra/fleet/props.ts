import { Duration } from 'aws-cdk-lib'
import type { Endpoints } from './delivery-configuration.ts'

/** How the program on the machines is kept going. */
export interface DeliveryProps {
  /**
   * From one run on each machine to the next, whatever was delivered: 30 minutes to 6 hours.
   * @default Duration.minutes(30)
   */
  readonly repairEvery?: Duration
  /**
   * Where the machines find the one service that they ask.
   * @default - the usual endpoint of their Region
   */
  readonly endpoints?: Endpoints
  /**
   * False leaves the units of systemd out: the boot before the server starts, and the timer that fetches without Run Command.
   * @default true
   */
  readonly boot?: boolean
  /**
   * `installed`: the document brings no program, it calls the one of this release's package.
   * @default 'delivered'
   */
  readonly program?: 'delivered' | 'installed'
}

/**
 * Props as cdk.json says them, so that the same reader judges both: a duration in whole seconds, or, where it is none
 * (milliseconds, a token), in words that the reader refuses by their path.
 */
export function asConfigured(value: unknown): unknown {
  if (value instanceof Duration) return secondsOf(value)
  if (Array.isArray(value)) return value.map(asConfigured)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, asConfigured(each)]))
}

function secondsOf(duration: Duration): number | string {
  if (duration.isUnresolved()) return 'a token, which is resolved at deploy time'
  const seconds = duration.toSeconds({ integral: false })
  return Number.isSafeInteger(seconds) ? seconds : `${seconds} seconds`
}
