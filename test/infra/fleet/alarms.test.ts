import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { logRingEvents, logStapleEvents } from '../../../lambda/handlers/event-log.ts'
import type { Metrics } from '../../../lambda/ring/ports.ts'
import type { StapleMetrics } from '../../../lambda/staples/report.ts'
import { exampleRing, exampleSet, NGINX } from '../app/example.ts'
import { flat, type Resources, synthesiseTemplate } from '../app/synthesis.ts'

const PAGE = 'arn:aws:sns:eu-west-1:123456789012:page'
const GUARDED = { address: '127.0.0.1:8446', serverName: 'www.example.com', clientCertificate: 'required' }
const TICKET = 'arn:aws:sns:eu-west-1:123456789012:ticket'
/** A ring whose machines check what open and guarded listeners have in common. */
const checked = exampleRing({
  servers: { nginx: { ...NGINX, verify: [...NGINX.verify, GUARDED] } },
  mixedClientAuthentication: 'checked',
  canary: { tag: 'canary', values: ['yes'] },
})
const both = { rings: [checked], stapling: [exampleSet()] }
const synthesised = synthesiseTemplate({ ...both, alarms: { page: PAGE, ticket: TICKET } })
interface Stacks {
  readonly resources: Resources
  /** Of the stack that outlives the functions. */
  readonly watched: Resources
}
const propertiesOf = (from: Resources) =>
  from.all('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties)
const alarmsOf = ({ resources, watched }: Stacks) => [...propertiesOf(resources), ...propertiesOf(watched)]
const alarms = alarmsOf(synthesised)
/** What needs an operator now; all others can wait for the morning. */
const PAGES = [
  'key-age',
  'rotation-held',
  'rotation-forced',
  'canary-failed',
  'auth-bypass',
  'control-invalid',
  'staples-life-ending',
  'staples-revoked',
  'staples-must-staple-missing',
  'staples-withdrawal-held',
]
const runbook = readFileSync(new URL('../../../docs/runbook.md', import.meta.url), 'utf8')
const headings = [...runbook.matchAll(/^## (.+)$/gm)].map(([, title = '']) =>
  title.toLowerCase().replaceAll(' ', '-'),
)

const alarmOf = (heading: string) =>
  alarms.find(({ AlarmName }) => AlarmName === `ticketring-edge-${heading}`)

const RING_METRICS: Metrics = {
  KeyAge: 60,
  Members: 3,
  Stragglers: 0,
  RotationHeld: 0,
  RotationForced: 0,
  CanaryFailed: 1,
  AuthBypass: 1,
  LocalRing: 1,
  ControlInvalid: 1,
  DriftRepaired: 1,
}
const STAPLE_METRICS: StapleMetrics = {
  StapleLifeLeft: 100,
  StapleFailures: 0,
  StaplesRevoked: 0,
  StaplesUndelivered: 0,
  StaplesWithdrawn: 0,
  MustStaplesMissing: 0,
  WithdrawalHeld: 0,
  DriftRepaired: 1,
}

/** What the function named `edge` puts into its log, parsed. */
function lineOf<M>(log: LogOf<M>, metrics: M) {
  const lines: string[] = []
  const keep = (line: string) => lines.push(line)
  log('edge', () => new Date(), keep).record({ kind: 'measured', metrics })
  return JSON.parse(lines.join('\n'))
}
type Measured<M> = { readonly kind: 'measured'; readonly metrics: M }
type LogOf<M> = (...words: Parameters<typeof logRingEvents>) => { record(entry: Measured<M>): void }

const hasDimension = (name: string) => (alarm: { readonly Dimensions?: readonly object[] }) =>
  isDeepStrictEqual(alarm.Dimensions, [{ Name: name, Value: 'edge' }])

describe('every alarm', () => {
  it('has its heading in the runbook, and links to it', () => {
    expect(alarms.length).toBe(10 + 9)
    for (const { AlarmName, AlarmDescription } of alarms) {
      const heading = AlarmName.replace('ticketring-edge-', '')
      expect(headings).toContain(heading)
      expect(AlarmDescription).toContain(`docs/runbook.md#${heading}`)
    }
  })

  it('links to the runbook by its URL, where there is one', () => {
    const runbookUrl = 'https://wiki.example.com/tls/runbook?view=1'
    const linked = synthesiseTemplate({ ...both, alarms: { runbookUrl } })
    for (const { AlarmName, AlarmDescription } of alarmsOf(linked)) {
      const link = `${runbookUrl}#${AlarmName.replace('ticketring-edge-', '')}`
      expect(AlarmDescription.endsWith(`What to do: ${link}`), AlarmDescription).toBe(true)
      expect(AlarmDescription.length).toBeLessThanOrEqual(1024)
    }
  })

  it('tells one topic when it begins and when it ends: what needs an operator now pages', () => {
    for (const { AlarmName, AlarmActions, OKActions } of alarms) {
      const heading = AlarmName.replace('ticketring-edge-', '')
      const topic = PAGES.includes(heading) ? PAGE : TICKET
      expect(AlarmActions, heading).toEqual([topic])
      expect(OKActions, heading).toContain(topic)
    }
  })

  it('tells page where there is no topic for tickets', () => {
    const one = synthesiseTemplate({ ...both, alarms: { page: PAGE } })
    for (const { AlarmActions, OKActions } of alarmsOf(one))
      expect([AlarmActions, OKActions]).toEqual([[PAGE], [PAGE]])
  })

  it('tells the one topic that alarmTopic means', () => {
    const one = synthesiseTemplate({ ...both, alarmTopic: PAGE })
    for (const { AlarmActions } of alarmsOf(one)) expect(AlarmActions).toEqual([PAGE])
  })

  it('tells no operator where no topic is configured', () => {
    for (const { AlarmActions, OKActions, InsufficientDataActions } of alarmsOf(synthesiseTemplate(both)))
      expect([AlarmActions, OKActions, InsufficientDataActions]).toEqual([undefined, undefined, undefined])
  })

  it('is as the runbook says, page or ticket', () => {
    for (const { AlarmName, AlarmActions } of alarms) {
      const heading = AlarmName.replace('ticketring-edge-', '')
      const told = AlarmActions[0] === PAGE ? 'pages' : 'ticket'
      expect(runbook, heading).toMatch(new RegExp(`^\\| \\[[^\\]]+\\]\\(#${heading}\\) \\| ${told} \\|`, 'm'))
    }
  })
})

describe('what each alarm watches', () => {
  it.each<[string, object]>([
    [
      'key-age',
      { MetricName: 'KeyAge', Statistic: 'Maximum', Threshold: 43_200, TreatMissingData: 'missing' },
    ],
    [
      'rotation-held',
      { MetricName: 'RotationHeld', Threshold: 0, DatapointsToAlarm: 6, EvaluationPeriods: 6 },
    ],
    ['rotation-forced', { MetricName: 'RotationForced', Threshold: 0, DatapointsToAlarm: 1 }],
    ['canary-failed', { MetricName: 'CanaryFailed', Threshold: 0, DatapointsToAlarm: 1 }],
    ['auth-bypass', { MetricName: 'AuthBypass', Statistic: 'Maximum', Threshold: 0, DatapointsToAlarm: 1 }],
    ['local-ring', { MetricName: 'LocalRing', Statistic: 'Maximum', Threshold: 0, DatapointsToAlarm: 1 }],
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

  it('auth-bypass: only where machines check it', () => {
    const usual = synthesiseTemplate({ rings: [exampleRing()] })
    expect(alarmsOf(usual).map(({ AlarmName }) => AlarmName)).not.toContain('ticketring-edge-auth-bypass')
  })

  it('function-errors: two failures in a quarter of an hour, so that one typing error pages no operator', () => {
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
        TreatMissingData: 'missing',
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
    const often = synthesiseTemplate({ stapling: [exampleSet({ refresh: { every: '5m' } })] })
    const periods = alarmsOf(often).map(({ Period }) => Period)
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
    // How many there are pages no operator; too few of them hold the rotation, which is watched. What was put right is.
    ['the ring', 'Ring', lineOf(logRingEvents, RING_METRICS), ['Members', 'DriftRepaired']],
    // What is withdrawn at its end has no life left either; what was put right is.
    ['the staples', 'Set', lineOf(logStapleEvents, STAPLE_METRICS), ['StaplesWithdrawn', 'DriftRepaired']],
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

  it('silence pages for the age of keys and the life of staples alone: who never runs fails nowhere else', () => {
    const silent = alarms.filter(({ TreatMissingData }) => TreatMissingData === 'missing')
    expect(silent.map(({ AlarmName }) => AlarmName)).toEqual([
      'ticketring-edge-key-age',
      'ticketring-edge-staples-life-left',
    ])
    for (const { InsufficientDataActions, OKActions } of silent) {
      expect(InsufficientDataActions).toEqual([PAGE])
      expect(OKActions).toContain(PAGE)
    }
  })

  it('a first deploy pages no operator: no alarm takes for bad what it has not seen', () => {
    for (const { AlarmName, TreatMissingData, InsufficientDataActions } of alarms) {
      expect(['missing', 'notBreaching'], AlarmName).toContain(TreatMissingData)
      // An alarm begins without data, and what it begins with is no change: only a metric that was there can end.
      expect(InsufficientDataActions === undefined, AlarmName).toBe(TreatMissingData === 'notBreaching')
    }
  })
})

describe('the logs', () => {
  const KEY = 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab'
  const groupsOf = (configuration: object) =>
    synthesiseTemplate(configuration)
      .resources.all('AWS::Logs::LogGroup')
      .map(({ Properties }) => Properties)

  it('of every function are kept as long, and under the key, as configured', () => {
    const groups = groupsOf({ ...both, logs: { retentionDays: 30, key: KEY } })
    expect(groups.length).toBe(4)
    for (const group of groups) expect(group).toMatchObject({ RetentionInDays: 30, KmsKeyId: KEY })
  })

  it('are kept for a year, under a key of the service, where nothing is said', () => {
    for (const group of groupsOf(both)) expect(group).toEqual({ RetentionInDays: 365 })
  })
})
