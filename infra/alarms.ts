import type { Duration } from 'aws-cdk-lib'
import {
  Alarm,
  ComparisonOperator,
  type IAlarmAction,
  type IMetric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'

/** What an alarm watches, and what it means. */
export interface Watch {
  readonly metric: IMetric
  /** Heading in docs/runbook.md, as a link names it. */
  readonly heading: string
  readonly meaning: string
  /** The metric is bad above this; or below it. */
  readonly limit: { readonly above: number } | { readonly below: number }
  /** How many of the last `of` periods must be bad. */
  readonly periods: number
  readonly of: number
  /** Whether silence is bad as well. */
  readonly missing?: 'breaching'
}

interface AlarmsProps {
  /** Head of the alarms' names. */
  readonly name: string
  /** What they are about, such as `Ring edge`. */
  readonly about: string
  /** Whom they tell. */
  readonly action: IAlarmAction | undefined
  readonly watches: readonly Watch[]
}

/** Alarms, each of which names its heading in docs/runbook.md. */
export class Alarms extends Construct {
  constructor(scope: Construct, id: string, { name, about, action, watches }: AlarmsProps) {
    super(scope, id)
    for (const { metric, heading, meaning, limit, periods, of, missing } of watches) {
      const alarm = new Alarm(this, pascal(heading), {
        alarmName: `${name}-${heading}`,
        alarmDescription: `${about}: ${meaning}. What to do: docs/runbook.md#${heading}`,
        metric,
        ...bound(limit),
        evaluationPeriods: of,
        datapointsToAlarm: periods,
        treatMissingData:
          missing === 'breaching' ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
      })
      if (action !== undefined) alarm.addAlarmAction(action)
    }
  }
}

function bound(limit: Watch['limit']): { threshold: number; comparisonOperator: ComparisonOperator } {
  if ('above' in limit) {
    return { threshold: limit.above, comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD }
  }
  return { threshold: limit.below, comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD }
}

/** What is watched of every function that schedules wake. `tick`: from one event to the next. */
export function watchFunction(
  handler: IFunction,
  undelivered: IQueue,
  { heading, what, tick }: { readonly heading: string; readonly what: string; readonly tick: Duration },
): readonly Watch[] {
  return [
    {
      metric: handler.metricErrors({ period: tick, statistic: 'Sum' }),
      heading: `${heading}function-errors`,
      meaning: `${what} failed twice within ${3 * tick.toMinutes()} minutes`,
      limit: { above: 0 },
      // One failure is taken up by the next tick, or is an operator's typing error.
      periods: 2,
      of: 3,
    },
    {
      metric: undelivered.metricApproximateNumberOfMessagesVisible({ period: tick, statistic: 'Maximum' }),
      heading: `${heading}schedule-undelivered`,
      meaning: `EventBridge Scheduler could not hand an event to ${what}`,
      limit: { above: 0 },
      periods: 1,
      of: 1,
    },
  ]
}

function pascal(heading: string): string {
  return heading.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase())
}
