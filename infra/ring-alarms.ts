import { Duration } from 'aws-cdk-lib'
import {
  Alarm,
  ComparisonOperator,
  type IAlarmAction,
  type IMetric,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { groupName } from './names.ts'

/** What a ring's function measures: namespace `Ticketring`, dimension `Ring`. */
export type RingMetric = 'KeyAge' | 'RotationHeld' | 'RotationForced' | 'Stragglers' | 'Members'

const PERIOD = Duration.minutes(5)

/** One metric of a ring, the largest value of each five minutes: one tick writes one. */
export function ringMetric(ring: string, metricName: RingMetric): Metric {
  return new Metric({
    namespace: 'Ticketring',
    metricName,
    dimensionsMap: { Ring: ring },
    period: PERIOD,
    statistic: 'Maximum',
  })
}

interface Watch {
  readonly metric: IMetric
  /** Heading in docs/runbook.md, as a link names it. */
  readonly heading: string
  readonly meaning: string
  readonly above: number
  /** How many of the last `of` periods must be above. */
  readonly periods: number
  readonly of: number
  readonly missing: TreatMissingData
}

interface RingAlarmsProps {
  readonly ring: string
  /** Seconds after which keys are too old. */
  readonly maxKeyAge: number
  readonly handler: IFunction
  readonly undelivered: IQueue
  readonly action: IAlarmAction | undefined
}

/** The alarms of one ring. Each names its heading in docs/runbook.md. */
export class RingAlarms extends Construct {
  readonly alarms: readonly Alarm[]

  constructor(scope: Construct, id: string, props: RingAlarmsProps) {
    super(scope, id)
    this.alarms = watches(props).map((watch) => this.#alarm(props, watch))
  }

  #alarm({ ring, action }: RingAlarmsProps, watch: Watch): Alarm {
    const name = `${groupName(ring)}-${watch.heading}`
    const alarm = new Alarm(this, pascal(watch.heading), {
      alarmName: name,
      alarmDescription: `Ring ${ring}: ${watch.meaning}. What to do: docs/runbook.md#${watch.heading}`,
      metric: watch.metric,
      threshold: watch.above,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: watch.of,
      datapointsToAlarm: watch.periods,
      treatMissingData: watch.missing,
    })
    if (action !== undefined) alarm.addAlarmAction(action)
    return alarm
  }
}

function watches({ ring, maxKeyAge, handler, undelivered }: RingAlarmsProps): readonly Watch[] {
  const missing = TreatMissingData.NOT_BREACHING
  return [
    {
      metric: ringMetric(ring, 'KeyAge'),
      heading: 'key-age',
      meaning: 'the key that encrypts is older than maxKeyAge, or nobody has looked at it for 15 minutes',
      above: maxKeyAge,
      periods: 3,
      of: 3,
      // A function that no longer runs measures nothing: silence is the worst case, not the best.
      missing: TreatMissingData.BREACHING,
    },
    {
      metric: ringMetric(ring, 'RotationHeld'),
      heading: 'rotation-held',
      meaning: 'a rotation that is due has waited for the fleet for half an hour',
      above: 0,
      periods: 6,
      of: 6,
      missing,
    },
    {
      metric: ringMetric(ring, 'RotationForced'),
      heading: 'rotation-forced',
      meaning: 'keys got too old and were changed although machines are behind: those lose resumptions',
      above: 0,
      periods: 1,
      of: 1,
      missing,
    },
    {
      metric: ringMetric(ring, 'Stragglers'),
      heading: 'stragglers',
      meaning: 'the same half hour in which every machine repairs itself has left some behind',
      above: 0,
      periods: 7,
      of: 7,
      missing,
    },
    {
      metric: handler.metricErrors({ period: PERIOD, statistic: 'Sum' }),
      heading: 'function-errors',
      meaning: 'the rotation function failed twice within 15 minutes',
      above: 0,
      // One failure is taken up by the next tick, or is an operator's typing error.
      periods: 2,
      of: 3,
      missing,
    },
    {
      metric: undelivered.metricApproximateNumberOfMessagesVisible({ period: PERIOD, statistic: 'Maximum' }),
      heading: 'schedule-undelivered',
      meaning: 'EventBridge Scheduler could not hand an event to the rotation function',
      above: 0,
      periods: 1,
      of: 1,
      missing,
    },
  ]
}

function pascal(heading: string): string {
  return heading.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase())
}
