import { Duration } from 'aws-cdk-lib'
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { type AlarmSpec, functionAlarms } from '../fleet/alarms.ts'
import { TICK_MINUTES } from './rotation-function.ts'

/** What a ring's function measures: namespace `Ticketring`, dimension `Ring`. */
export type RingMetric =
  | 'KeyAge'
  | 'RotationHeld'
  | 'RotationForced'
  | 'Stragglers'
  | 'Members'
  | 'AuthBypass'
  | 'LocalRing'
  | 'DriftRepaired'

/** One tick measures once. */
export const TICK = Duration.minutes(TICK_MINUTES)

/** The methods of the construct that the alarms watch. */
export type RingMetrics = Readonly<Record<`metric${RingMetric}`, () => IMetric>>

interface Watched {
  readonly metrics: RingMetrics
  /** Seconds after which keys are too old. */
  readonly maxKeyAge: number
  /** Whether its machines look for tickets that open guarded listeners. */
  readonly checksAuthentication: boolean
  readonly handler: IFunction
  readonly undelivered: IQueue
}

/** What is watched of one ring. */
export function ringAlarms({
  metrics,
  maxKeyAge,
  checksAuthentication,
  handler,
  undelivered,
}: Watched): readonly AlarmSpec[] {
  return [
    {
      metric: metrics.metricKeyAge(),
      heading: 'key-age',
      meaning:
        'the key that encrypts is older than maxKeyAge, or, in the state of no data, the function is silent',
      limit: { above: maxKeyAge },
      periods: 3,
      of: 3,
      tells: 'page',
      // A function that no longer runs measures nothing: silence is the worst case, not the best.
      silence: 'pages',
    },
    {
      metric: metrics.metricRotationHeld(),
      heading: 'rotation-held',
      meaning: 'a rotation that is due has waited for the fleet for half an hour',
      limit: { above: 0 },
      periods: 6,
      of: 6,
      tells: 'page',
    },
    {
      metric: metrics.metricRotationForced(),
      heading: 'rotation-forced',
      meaning: 'keys got too old and were changed although machines are behind: those lose resumptions',
      limit: { above: 0 },
      periods: 1,
      of: 1,
      tells: 'page',
    },
    {
      metric: metrics.metricStragglers(),
      heading: 'stragglers',
      meaning: 'machines have been behind for half an hour, in which deliveries were repeated',
      limit: { above: 0 },
      periods: 7,
      of: 7,
      tells: 'ticket',
    },
    {
      metric: metrics.metricLocalRing(),
      heading: 'local-ring',
      meaning: 'machines could not fetch the ring, and served with random keys of their own',
      limit: { above: 0 },
      periods: 1,
      of: 1,
      tells: 'ticket',
    },
    ...(checksAuthentication ? [authBypass(metrics)] : []),
    ...functionAlarms(handler, undelivered, { heading: '', what: 'the rotation function', tick: TICK }),
  ]
}

function authBypass(metrics: RingMetrics): AlarmSpec {
  return {
    metric: metrics.metricAuthBypass(),
    heading: 'auth-bypass',
    meaning: 'on some machine a ticket of an open listener opened one that demands a client certificate',
    limit: { above: 0 },
    periods: 1,
    of: 1,
    tells: 'page',
  }
}
