import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Metrics } from '../../lambda/app/ports.ts'
import type { StapleMetrics } from '../../lambda/core/staple-report.ts'
import { logJournal, logStapleJournal } from '../../lambda/handlers/journal.ts'
import { exampleRing, exampleSet } from './example.ts'
import { flat, synthesiseTemplate } from './synthesis.ts'

const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:ops'
const both = { rings: [exampleRing()], stapling: [exampleSet()] }
const { resources } = synthesiseTemplate({ ...both, alarmTopic: TOPIC })
const alarms = resources.all('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties)
const runbook = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8')
const headings = [...runbook.matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
  title.toLowerCase().replaceAll(' ', '-'),
)

const alarmOf = (heading: string) =>
  alarms.find(({ AlarmName }) => AlarmName === `ticketring-edge-${heading}`)

const RING_METRICS: Metrics = { KeyAge: 60, Members: 3, Stragglers: 0, RotationHeld: 0, RotationForced: 0 }
const STAPLE_METRICS: StapleMetrics = {
  StapleLifeLeft: 100,
  StapleFailures: 0,
  StaplesRevoked: 0,
  StaplesUndelivered: 0,
  StaplesWithdrawn: 0,
  MustStaplesMissing: 0,
  WithdrawalHeld: 0,
}

/** What the function named `edge` puts into its log, parsed. */
function lineOf<M>(log: LogOf<M>, metrics: M) {
  const lines: string[] = []
  const keep = (line: string) => lines.push(line)
  log('edge', () => new Date(), keep).record({ kind: 'measured', metrics })
  return JSON.parse(lines.join('\n'))
}
type Measured<M> = { readonly kind: 'measured'; readonly metrics: M }
type LogOf<M> = (...words: Parameters<typeof logJournal>) => { record(entry: Measured<M>): void }

const hasDimension = (name: string) => (alarm: { readonly Dimensions?: readonly object[] }) =>
  isDeepStrictEqual(alarm.Dimensions, [{ Name: name, Value: 'edge' }])

describe('every alarm', () => {
  it('has its heading in the runbook, and links to it', () => {
    expect(alarms.length).toBe(6 + 9)
    for (const { AlarmName, AlarmDescription } of alarms) {
      const heading = AlarmName.replace('ticketring-edge-', '')
      expect(headings).toContain(heading)
      expect(AlarmDescription).toContain(`docs/runbook.md#${heading}`)
    }
  })

  it('tells the topic', () => {
    for (const { AlarmActions } of alarms) expect(AlarmActions).toEqual([TOPIC])
  })

  it('tells nobody where no topic is configured', () => {
    const silent = synthesiseTemplate(both).resources.all('AWS::CloudWatch::Alarm')
    for (const { Properties } of silent) expect(Properties.AlarmActions).toBeUndefined()
  })
})

describe('what each alarm watches', () => {
  it.each<[string, object]>([
    [
      'key-age',
      { MetricName: 'KeyAge', Statistic: 'Maximum', Threshold: 43_200, TreatMissingData: 'breaching' },
    ],
    [
      'rotation-held',
      { MetricName: 'RotationHeld', Threshold: 0, DatapointsToAlarm: 6, EvaluationPeriods: 6 },
    ],
    ['rotation-forced', { MetricName: 'RotationForced', Threshold: 0, DatapointsToAlarm: 1 }],
    ['stragglers', { MetricName: 'Stragglers', Threshold: 0, DatapointsToAlarm: 7, EvaluationPeriods: 7 }],
  ])('%s: a metric of the ring, one value each tick', (heading, expected) => {
    expect(alarmOf(heading)).toMatchObject({
      Namespace: 'Ticketring',
      Dimensions: [{ Name: 'Ring', Value: 'edge' }],
      Period: 300,
      ComparisonOperator: 'GreaterThanThreshold',
      ...expected,
    })
  })

  it('function-errors: two failures in a quarter of an hour, so that one typing error pages nobody', () => {
    expect(flat(alarmOf('function-errors'))).toMatchObject({
      Namespace: 'AWS/Lambda',
      MetricName: 'Errors',
      Statistic: 'Sum',
      Dimensions: [{ Name: 'FunctionName', Value: '<EdgeRotationFunction>' }],
      DatapointsToAlarm: 2,
      EvaluationPeriods: 3,
    })
  })

  it.each<[string, object]>([
    [
      'life-left',
      {
        MetricName: 'StapleLifeLeft',
        Statistic: 'Minimum',
        Threshold: 25,
        ComparisonOperator: 'LessThanThreshold',
        DatapointsToAlarm: 2,
        TreatMissingData: 'breaching',
      },
    ],
    [
      'life-ending',
      {
        MetricName: 'StapleLifeLeft',
        Statistic: 'Minimum',
        Threshold: 10,
        ComparisonOperator: 'LessThanThreshold',
        DatapointsToAlarm: 2,
        TreatMissingData: 'notBreaching',
      },
    ],
    ['failing', { MetricName: 'StapleFailures', DatapointsToAlarm: 4, EvaluationPeriods: 4 }],
    ['revoked', { MetricName: 'StaplesRevoked', DatapointsToAlarm: 1 }],
    ['undelivered', { MetricName: 'StaplesUndelivered', DatapointsToAlarm: 4, EvaluationPeriods: 4 }],
    ['must-staple-missing', { MetricName: 'MustStaplesMissing', DatapointsToAlarm: 1 }],
    ['withdrawal-held', { MetricName: 'WithdrawalHeld', DatapointsToAlarm: 1 }],
  ])('staples-%s: a metric of the set, one value each run', (heading, expected) => {
    expect(alarmOf(`staples-${heading}`)).toMatchObject({
      Namespace: 'Ticketring',
      Dimensions: [{ Name: 'Set', Value: 'edge' }],
      Period: 900,
      Threshold: 0,
      Statistic: 'Maximum',
      ComparisonOperator: 'GreaterThanThreshold',
      ...expected,
    })
  })

  it('of a set that looks more often, the periods are as short', () => {
    const often = synthesiseTemplate({ stapling: [exampleSet({ refresh: { every: '5m' } })] }).resources
    const periods = often.all('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties.Period)
    expect(new Set(periods)).toEqual(new Set([300]))
  })

  it("staples-function-errors: the staple function's", () => {
    expect(flat(alarmOf('staples-function-errors'))).toMatchObject({
      Namespace: 'AWS/Lambda',
      MetricName: 'Errors',
      Dimensions: [{ Name: 'FunctionName', Value: '<EdgeStaplesRefreshFunction>' }],
      DatapointsToAlarm: 2,
      EvaluationPeriods: 3,
    })
  })

  it.each([
    ['schedule-undelivered', '<EdgeSchedulesUndelivered.QueueName>'],
    ['staples-schedule-undelivered', '<EdgeStaplesSchedulesUndelivered.QueueName>'],
  ])('%s: the queue of its own schedules', (heading, queue) => {
    expect(flat(alarmOf(heading))).toMatchObject({
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Dimensions: [{ Name: 'QueueName', Value: queue }],
      Threshold: 0,
    })
  })

  it.each([
    // How many there are wakes nobody; too few of them hold the rotation, which is watched.
    ['the ring', 'Ring', lineOf(logJournal, RING_METRICS), ['Members']],
    // What is withdrawn at its end has no life left either.
    ['the staples', 'Set', lineOf(logStapleJournal, STAPLE_METRICS), ['StaplesWithdrawn']],
  ])('every metric of %s but those of information is watched, as the function writes it', (...row) => {
    const [, dimension, line, information] = row
    const watched = new Set(alarms.filter(hasDimension(dimension)).map(({ MetricName }) => MetricName))
    const [{ Namespace, Dimensions, Metrics }] = line._aws.CloudWatchMetrics
    expect({ Namespace, Dimensions }).toEqual({ Namespace: 'Ticketring', Dimensions: [[dimension]] })
    expect(line[dimension]).toBe('edge')
    const written = Metrics.map(({ Name }: { Name: string }) => Name)
    for (const name of written) expect(line[name], name).toBeTypeOf('number')
    expect(written.filter((name: string) => !watched.has(name))).toEqual(information)
    expect([...watched].filter((name) => !written.includes(name))).toEqual([])
  })

  it('silence is an alarm for the age of keys and the life of staples alone: who never runs fails nowhere else', () => {
    const breaching = alarms.filter(({ TreatMissingData }) => TreatMissingData === 'breaching')
    expect(breaching.map(({ AlarmName }) => AlarmName)).toEqual([
      'ticketring-edge-key-age',
      'ticketring-edge-staples-life-left',
    ])
    for (const { TreatMissingData } of alarms)
      expect(['breaching', 'notBreaching']).toContain(TreatMissingData)
  })
})
