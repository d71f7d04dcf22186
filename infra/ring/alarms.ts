import { Duration } from 'aws-cdk-lib'
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { type AlarmSpec, functionAlarms, nonZero } from '../fleet/alarms.ts'
import type { AccessMetrics } from './access-watch.ts'
import { TICK_MINUTES } from './rotation-function.ts'

/** What a ring's function measures: namespace `Ticketring`, dimension `Ring`. */
export type RingMetric =
  | 'KeyAge'
  | 'RotationHeld'
  | 'RotationForced'
  | 'CanaryFailed'
  | 'Stragglers'
  | 'Members'
  | 'AuthBypass'
  | 'LocalRing'
  | 'DriftRepaired'
  | 'ControlInvalid'

/** One tick measures once. */
export const TICK = Duration.minutes(TICK_MINUTES)

/** The methods of the construct that the alarms watch. */
type RingMetrics = Readonly<Record<`metric${RingMetric}`, () => IMetric>>

interface Watched {
  readonly metrics: RingMetrics
  /** Seconds after which keys are too old. */
  readonly maxKeyAge: number
  /** Whether its machines look for tickets that open guarded listeners. */
  readonly checksAuthentication: boolean
  /** Whether new generations go to a canary first. */
  readonly hasCanary: boolean
  readonly handler: IFunction
  readonly undelivered: IQueue
  /** Where calls of other principals are watched. */
  readonly access: AccessMetrics | undefined
}

/** What is watched of one ring. */
export function ringAlarms(watched: Watched): readonly AlarmSpec[] {
  const { metrics, maxKeyAge, checksAuthentication, hasCanary, handler, undelivered, access } = watched
  return [
    keyAge(metrics, maxKeyAge),
    nonZero(6, {
      metric: metrics.metricRotationHeld(),
      heading: 'rotation-held',
      meaning: 'a rotation that is due has waited for the fleet for half an hour',
      tells: 'page',
    }),
    nonZero(1, {
      metric: metrics.metricRotationForced(),
      heading: 'rotation-forced',
      meaning: 'keys got too old and were changed although machines are behind: those lose resumptions',
      tells: 'page',
    }),
    nonZero(7, {
      metric: metrics.metricStragglers(),
      heading: 'stragglers',
      meaning: 'machines have been behind for half an hour, in which deliveries were repeated',
      tells: 'ticket',
    }),
    nonZero(1, {
      metric: metrics.metricLocalRing(),
      heading: 'local-ring',
      meaning: 'machines could not fetch the ring, and served with random keys of their own',
      tells: 'ticket',
    }),
    nonZero(1, {
      metric: metrics.metricControlInvalid(),
      heading: 'control-invalid',
      meaning: 'the control parameter is nonsense: what it said before counts',
      tells: 'page',
    }),
    ...(checksAuthentication ? [authBypass(metrics)] : []),
    ...(hasCanary ? [canaryFailed(metrics)] : []),
    ...(access === undefined ? [] : accessAlarms(access)),
    ...functionAlarms(handler, undelivered, { heading: '', what: 'the rotation function', tick: TICK }),
  ]
}

function keyAge(metrics: RingMetrics, maxKeyAge: number): AlarmSpec {
  return {
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
  }
}

/** Headings of what `accessWatch` adds. */
export const ACCESS_ALARMS = ['read-by-others', 'changed-by-others', 'watch-deaf'] as const

/** EventBridge counts what its rules match, and says nothing of what they do not. */
function accessAlarms({ reads, changes, heard }: AccessMetrics): readonly AlarmSpec[] {
  return [
    nonZero(1, {
      metric: reads,
      heading: 'read-by-others',
      meaning: 'a principal that is none of its readers has read the ring',
      tells: 'page',
    }),
    nonZero(1, {
      metric: changes,
      heading: 'changed-by-others',
      meaning:
        "a principal other than its function and CloudFormation has changed the ring's secret, its document or its records",
      tells: 'page',
    }),
    {
      metric: heard,
      heading: 'watch-deaf',
      meaning:
        'in the state of no data, the calls of its own function are not heard either, so no read of the ring by another principal would page',
      // What is heard is well, however much it is: only silence is not.
      limit: { below: 0 },
      periods: 3,
      of: 3,
      tells: 'page',
      silence: 'pages',
    },
  ]
}

function canaryFailed(metrics: RingMetrics): AlarmSpec {
  return nonZero(1, {
    metric: metrics.metricCanaryFailed(),
    heading: 'canary-failed',
    meaning:
      'the canary has not proved a generation, or its alarms are not quiet: the others stay on the one before',
    tells: 'page',
  })
}

function authBypass(metrics: RingMetrics): AlarmSpec {
  return nonZero(1, {
    metric: metrics.metricAuthBypass(),
    heading: 'auth-bypass',
    meaning: 'on some machine a ticket of an open listener opened one that demands a client certificate',
    tells: 'page',
  })
}
