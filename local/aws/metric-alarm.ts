/** The values of one metric, each with its time in milliseconds. */
export interface Measured {
  of(
    namespace: string,
    metric: string,
    dimensions: Readonly<Record<string, string>>,
  ): readonly { readonly time: number; readonly value: number }[]
}

/** An `AWS::CloudWatch::Alarm` on one metric. */
export interface MetricAlarm {
  readonly AlarmName: string
  readonly AlarmDescription: string
  readonly Namespace: string
  readonly MetricName: string
  readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[]
  readonly Statistic: 'Maximum' | 'Minimum'
  /** Seconds. */
  readonly Period: number
  readonly Threshold: number
  readonly ComparisonOperator: 'GreaterThanThreshold' | 'LessThanThreshold'
  readonly EvaluationPeriods: number
  readonly DatapointsToAlarm: number
  readonly TreatMissingData: 'missing' | 'notBreaching'
  /** ARNs of topics. */
  readonly AlarmActions?: readonly string[]
  readonly InsufficientDataActions?: readonly string[]
}

export type AlarmState = 'ALARM' | 'INSUFFICIENT_DATA' | 'OK'

/**
 * The state that CloudWatch gives an alarm at this time, from what was measured before it.
 * Source: CloudWatch user guide, configuring how alarms treat missing data. CloudWatch looks back some periods further than
 * `EvaluationPeriods`, so what it calls silent it calls so later than this does.
 */
export function stateOf(alarm: MetricAlarm, measured: Measured, now: Date): AlarmState {
  const points = lastPeriods(alarm, measured, now)
  const present = points.filter((point) => point !== undefined)
  if (present.length === 0 && alarm.TreatMissingData === 'missing') return 'INSUFFICIENT_DATA'
  const breaching = present.filter((point) =>
    alarm.ComparisonOperator === 'GreaterThanThreshold' ? point > alarm.Threshold : point < alarm.Threshold,
  )
  return breaching.length >= alarm.DatapointsToAlarm ? 'ALARM' : 'OK'
}

/** One value for each of the alarm's last whole periods, or `undefined` where nothing was measured in it. */
function lastPeriods(
  { Namespace, MetricName, Dimensions, Statistic, Period, EvaluationPeriods }: MetricAlarm,
  measured: Measured,
  now: Date,
): readonly (number | undefined)[] {
  const dimensions = Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value]))
  const values = measured.of(Namespace, MetricName, dimensions)
  const end = Math.floor(now.getTime() / (Period * 1000))
  return Array.from({ length: EvaluationPeriods }, (_, ago) => {
    const period = end - 1 - ago
    const within = values
      .filter(({ time }) => Math.floor(time / (Period * 1000)) === period)
      .map(({ value }) => value)
    if (within.length === 0) return undefined
    return Statistic === 'Maximum' ? Math.max(...within) : Math.min(...within)
  })
}
