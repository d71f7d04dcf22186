import { Duration } from 'aws-cdk-lib'
import { Metric } from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import type { StapleMetrics } from '../lambda/core/staple-report.ts'
import { type Watch, watchFunction } from './alarms.ts'

/** What a set's function measures: namespace `Ticketring`, dimension `Set`. */
export type StapleMetric = keyof StapleMetrics

/** Responses are asked for at half-life; the quarter after that is for a responder that is down. */
const LEAST_LIFE_PERCENT = 25

/** One metric of a set, the worst value of each tick: one run writes one. `every`: seconds from one to the next. */
export function stapleMetric(set: string, every: number, metricName: StapleMetric): Metric {
  return new Metric({
    namespace: 'Ticketring',
    metricName,
    dimensionsMap: { Set: set },
    period: Duration.seconds(every),
    statistic: metricName === 'StapleLifeLeft' ? 'Minimum' : 'Maximum',
  })
}

interface Watched {
  readonly set: string
  /** Seconds from one run to the next. */
  readonly every: number
  readonly handler: IFunction
  readonly undelivered: IQueue
}

/** What is watched of one set. */
export function stapleWatches({ set, every, handler, undelivered }: Watched): readonly Watch[] {
  const count = (metric: StapleMetric, heading: string, ticks: number, meaning: string): Watch => ({
    metric: stapleMetric(set, every, metric),
    heading: `staples-${heading}`,
    meaning,
    limit: { above: 0 },
    periods: ticks,
    of: ticks,
  })
  const tick = Duration.seconds(every)
  return [
    {
      metric: stapleMetric(set, every, 'StapleLifeLeft'),
      heading: 'staples-life-left',
      meaning: `a response has less than ${LEAST_LIFE_PERCENT} % of its life left or is missing, or nobody has looked`,
      limit: { below: LEAST_LIFE_PERCENT },
      // A run may fall just before or after the edge of a period, which leaves one empty.
      periods: 2,
      of: 2,
      // A function that no longer runs measures nothing: silence is the worst case, not the best.
      missing: 'breaching',
    },
    count('StapleFailures', 'failing', 4, 'a certificate could not be refreshed four runs in a row'),
    count('StaplesRevoked', 'revoked', 1, 'a responder says that a certificate is revoked'),
    count(
      'StaplesUndelivered',
      'undelivered',
      4,
      'machines do not hold what they should, four runs in a row',
    ),
    count(
      'MustStaplesMissing',
      'must-staple-missing',
      1,
      'a must-staple certificate has no staple: clients refuse it',
    ),
    count(
      'WithdrawalHeld',
      'withdrawal-held',
      1,
      'so many staples were to go at once that none was withdrawn',
    ),
    ...watchFunction(handler, undelivered, { heading: 'staples-', what: 'the staple function', tick }),
  ]
}
