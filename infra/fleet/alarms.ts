import type { Duration } from 'aws-cdk-lib'
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  Metric,
  type MetricOptions,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { AlarmActions, Operations } from './operations.ts'

/** What an alarm watches, and what it means. */
export interface AlarmSpec {
  readonly metric: IMetric
  /** Heading in docs/runbook.md, as a link names it. */
  readonly heading: string
  readonly meaning: string
  /** The metric is bad above this; or below it. */
  readonly limit: { readonly above: number } | { readonly below: number }
  /** How many of the last `of` periods must be bad. */
  readonly periods: number
  readonly of: number
  /** Whether an operator has to see to it now, or can in the morning. */
  readonly tells: 'page' | 'ticket'
  /**
   * Whether silence pages as well. It is the alarm's third state: an alarm begins in it, and actions come of a change,
   * so a first deploy does not page; where missing data counted as bad, each would page before the first tick.
   */
  readonly silence?: 'pages'
}

/** An alarm that tells once a metric has been above nothing for so many periods on end. */
export function nonZero(
  periods: number,
  of: Pick<AlarmSpec, 'metric' | 'heading' | 'meaning' | 'tells'>,
): AlarmSpec {
  return { ...of, limit: { above: 0 }, periods, of: periods }
}

/** What a function measures of itself: the largest value of each period, unless told. */
export function measured(
  dimensionsMap: Readonly<Record<string, string>>,
  metricName: string,
  options: MetricOptions,
): Metric {
  return new Metric({ namespace: 'Ticketring', metricName, dimensionsMap, statistic: 'Maximum', ...options })
}

interface AlarmsProps {
  /** Head of the alarms' names. */
  readonly name: string
  /** What they are about, such as `Ring edge`. */
  readonly about: string
  readonly operations: Operations
  readonly alarms: readonly AlarmSpec[]
}

/** Where the runbook is, where the owner names no better address. */
const RUNBOOK = 'docs/runbook.md'

/** Alarms, each of which links to its heading in docs/runbook.md, and tells also when what it told of is over. */
export class Alarms extends Construct {
  constructor(scope: Construct, id: string, { name, about, operations, alarms }: AlarmsProps) {
    super(scope, id)
    const { alarms: actions = {}, watch } = operations
    // What silence trips is to outlive the function that it watches, with the stack that holds it.
    const outliving = watch === undefined ? this : new Construct(watch, about)
    for (const spec of alarms) {
      raise(spec.silence === undefined ? this : outliving, { name, about, actions, spec })
    }
  }
}

interface Raised extends Pick<AlarmsProps, 'name' | 'about'> {
  readonly actions: AlarmActions
  readonly spec: AlarmSpec
}

function raise(scope: Construct, { name, about, actions, spec }: Raised): void {
  const { metric, heading, meaning, limit, periods, of, tells, silence } = spec
  const { page, ticket = page, runbookUrl = RUNBOOK } = actions
  const alarm = new Alarm(scope, pascal(heading), {
    alarmName: `${name}-${heading}`,
    alarmDescription: `${about}: ${meaning}. What to do: ${runbookUrl}#${heading}`,
    metric,
    ...bound(limit),
    evaluationPeriods: of,
    datapointsToAlarm: periods,
    treatMissingData: silence === undefined ? TreatMissingData.NOT_BREACHING : TreatMissingData.MISSING,
  })
  const told = tells === 'page' ? page : ticket
  if (told !== undefined) {
    alarm.addAlarmAction(told)
    alarm.addOkAction(told)
  }
  if (silence !== undefined && page !== undefined) {
    alarm.addInsufficientDataAction(page)
    // Whom silence woke has to hear that it is over.
    if (told !== page) alarm.addOkAction(page)
  }
}

function bound(limit: AlarmSpec['limit']): { threshold: number; comparisonOperator: ComparisonOperator } {
  if ('above' in limit) {
    return { threshold: limit.above, comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD }
  }
  return { threshold: limit.below, comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD }
}

/** What is watched of every function that schedules wake. `tick`: from one event to the next. */
export function functionAlarms(
  handler: IFunction,
  undelivered: IQueue,
  { heading, what, tick }: { readonly heading: string; readonly what: string; readonly tick: Duration },
): readonly AlarmSpec[] {
  return [
    {
      metric: handler.metricErrors({ period: tick, statistic: 'Sum' }),
      heading: `${heading}function-errors`,
      meaning: `${what} failed twice within ${3 * tick.toMinutes()} minutes`,
      limit: { above: 0 },
      // One failure is taken up by the next tick, or is an operator's typing error.
      periods: 2,
      of: 3,
      tells: 'ticket',
    },
    nonZero(1, {
      metric: undelivered.metricApproximateNumberOfMessagesVisible({ period: tick, statistic: 'Maximum' }),
      heading: `${heading}schedule-undelivered`,
      meaning: `EventBridge Scheduler could not hand an event to ${what}`,
      tells: 'ticket',
    }),
  ]
}

function pascal(heading: string): string {
  return heading.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase())
}
