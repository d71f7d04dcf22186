import type { Duration } from 'aws-cdk-lib'
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import type { StapleMetrics } from '../../lambda/staples/report.ts'
import { type AlarmSpec, functionAlarms } from '../fleet/alarms.ts'

/** What a set's function measures: namespace `Ticketring`, dimension `Set`. */
export type StapleMetric = keyof StapleMetrics

/**
 * S4: responses are asked for at half-life, so a quarter of it has been for a responder that is down; at a tenth, where
 * a response is hardly worth its delivery any more (S5), little time is left to mend it.
 */
const LIFE_PERCENT = { low: 25, least: 10 }

/** The methods of the construct that the alarms watch. */
export interface StaplingMetrics {
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
  const count = (metric: IMetric, heading: string, ticks: number, meaning: string): AlarmSpec => ({
    metric,
    heading: `staples-${heading}`,
    meaning,
    limit: { above: 0 },
    periods: ticks,
    of: ticks,
    // What is watched over several runs is tried again meanwhile; what one run tells is there to stay.
    tells: ticks === 1 ? 'page' : 'ticket',
  })
  const lifeBelow = (percent: number, more: string) => ({
    metric: metrics.metricLifeLeft(),
    meaning: `a response has less than ${percent} % of its life left ${more}`,
    limit: { below: percent },
    // A run may fall just before or after the edge of a period, which leaves one empty.
    periods: 2,
    of: 2,
  })
  return [
    {
      ...lifeBelow(LIFE_PERCENT.low, 'or is missing, or, in the state of no data, the function is silent'),
      heading: 'staples-life-left',
      tells: 'ticket',
      // A function that no longer runs measures nothing: silence is the worst case, not the best.
      silence: 'pages',
    },
    { ...lifeBelow(LIFE_PERCENT.least, 'or is missing'), heading: 'staples-life-ending', tells: 'page' },
    count(metrics.metricFailures(), 'failing', 4, 'a certificate could not be refreshed four runs in a row'),
    count(metrics.metricRevoked(), 'revoked', 1, 'a responder says that a certificate is revoked'),
    count(
      metrics.metricUndelivered(),
      'undelivered',
      4,
      'machines do not hold what they should, four runs in a row',
    ),
    count(
      metrics.metricMustStaplesMissing(),
      'must-staple-missing',
      1,
      'a must-staple certificate has no staple: clients refuse it',
    ),
    count(
      metrics.metricWithdrawalHeld(),
      'withdrawal-held',
      1,
      'so many staples were to go at once that none was withdrawn',
    ),
    ...functionAlarms(handler, undelivered, { heading: 'staples-', what: 'the staple function', tick }),
  ]
}
