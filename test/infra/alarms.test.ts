import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { exampleRing } from './example.ts'
import { flat, synthesiseTemplate } from './synthesis.ts'

const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:ops'
const { resources } = synthesiseTemplate({ rings: [exampleRing()], alarmTopic: TOPIC })
const alarms = resources.all('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties)
const runbook = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8')
const headings = [...runbook.matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
  title.toLowerCase().replaceAll(' ', '-'),
)

const alarmOf = (heading: string) =>
  alarms.find(({ AlarmName }) => AlarmName === `ticketring-edge-${heading}`)

describe('every alarm', () => {
  it('has its heading in the runbook, and links to it', () => {
    expect(alarms.length).toBeGreaterThanOrEqual(5)
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
    const silent = synthesiseTemplate({ rings: [exampleRing()] }).resources.all('AWS::CloudWatch::Alarm')
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

  it('silence is an alarm for the key age alone: a function that never runs fails nowhere else', () => {
    const breaching = alarms.filter(({ TreatMissingData }) => TreatMissingData === 'breaching')
    expect(breaching.map(({ AlarmName }) => AlarmName)).toEqual(['ticketring-edge-key-age'])
    for (const { TreatMissingData } of alarms)
      expect(['breaching', 'notBreaching']).toContain(TreatMissingData)
  })
})
