import type { Duration } from 'aws-cdk-lib'
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import type { StapleMetrics } from '../../lambda/staples/report.ts'
import { type AlarmSpec, functionAlarms, nonZero } from '../fleet/alarms.ts'

/** What a set's function measures: namespace `Ticketring`, dimension `Set`. */
export type StapleMetric = keyof StapleMetrics

/**
 * S4: responses are asked for at half-life, so a quarter of it has been for a responder that is down; at a tenth, where
 * a response is hardly worth its delivery any more (S5), little time is left to mend it.
 */
const LIFE_PERCENT = { low: 25, least: 10 }

/** The methods of the construct that the alarms watch. */
interface StaplingMetrics {
  metricLifeLeft(): IMetric
  metricFailures(): IMetric
  metricRevoked(): IMetric
  metricUndelivered(): IMetric
  metricMustStaplesMissing(): IMetric
  metricWithdrawalHeld(): IMetric
}

interface Watched {
  readonly metrics: StaplingMetrics
  /** From one run to the next. */
  readonly tick: Duration
  readonly handler: IFunction
  readonly undelivered: IQueue
}

/** What is watched of one set. */
export function stapleAlarms({ metrics, tick, handler, undelivered }: Watched): readonly AlarmSpec[] {
  return [
    ...lifeAlarms(metrics.metricLifeLeft()),
    repeated(metrics.metricFailures(), 'failing', 'a certificate could not be refreshed four runs in a row'),
    once(metrics.metricRevoked(), 'revoked', 'a responder says that a certificate is revoked'),
    repeated(
      metrics.metricUndelivered(),
      'undelivered',
      'machines do not hold what they should, four runs in a row',
    ),
    once(
      metrics.metricMustStaplesMissing(),
      'must-staple-missing',
      'a must-staple certificate has no staple: clients refuse it',
    ),
    once(
      metrics.metricWithdrawalHeld(),
      'withdrawal-held',
      'so many staples were to go at once that none was withdrawn',
    ),
    ...functionAlarms(handler, undelivered, { heading: 'staples-', what: 'the staple function', tick }),
  ]
}

function lifeAlarms(metric: IMetric): readonly AlarmSpec[] {
  const below = (percent: number, more: string) => ({
    metric,
    meaning: `a response has less than ${percent} % of its life left ${more}`,
    limit: { below: percent },
    // A run may fall just before or after the edge of a period, which leaves one empty.
    periods: 2,
    of: 2,
  })
  return [
    {
      ...below(LIFE_PERCENT.low, 'or is missing, or, in the state of no data, the function is silent'),
      heading: 'staples-life-left',
      tells: 'ticket',
      // A function that no longer runs measures nothing: silence is the worst case, not the best.
      silence: 'pages',
    },
    { ...below(LIFE_PERCENT.least, 'or is missing'), heading: 'staples-life-ending', tells: 'page' },
  ]
}

/** What one run tells, and is there to stay. */
function once(metric: IMetric, heading: string, meaning: string): AlarmSpec {
  return nonZero(1, { metric, heading: `staples-${heading}`, meaning, tells: 'page' })
}

/** What is tried again meanwhile. */
function repeated(metric: IMetric, heading: string, meaning: string): AlarmSpec {
  return nonZero(4, { metric, heading: `staples-${heading}`, meaning, tells: 'ticket' })
}
