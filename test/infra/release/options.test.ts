/** What parameters switch on and off in the released template, against the construct with the same values. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type App, Duration, Stack } from 'aws-cdk-lib'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { Role } from 'aws-cdk-lib/aws-iam'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { afterAll, describe, expect, it } from 'vitest'
import { createApp } from '../../../infra/app/build-app.ts'
import { PARAMETERS } from '../../../infra/release/parameters.ts'
import { releasedTemplates } from '../../../infra/release/template.ts'
import type { TicketKeyRingProps } from '../../../infra/ring/props.ts'
import { TicketKeyRing } from '../../../infra/ring/ticket-key-ring.ts'
import { readWholeTemplate } from '../../../local/aws/template.ts'

const directory = mkdtempSync(join(tmpdir(), 'ticketring-options-'))
afterAll(() => rmSync(directory, { recursive: true }))
const released = releasedTemplates(join(directory, 'released'))

const ACCOUNT = {
  id: '123456789012',
  region: 'eu-west-1',
  now: () => 0,
  random: (bytes: number) => new Uint8Array(bytes),
}
const PAGE = 'arn:aws:sns:eu-west-1:123456789012:page'
const STACK = 'ticketring-edge'
const GIVEN = {
  FleetRole: 'terminators',
  PageTopic: PAGE,
  CodeBucket: 'releases',
  ServerName: 'www.example.com',
}
type Values = Readonly<Record<string, string>>

const resolved = (template: unknown, values: Values) =>
  readWholeTemplate(template, ACCOUNT, { ...GIVEN, ...values, 'AWS::StackName': STACK })

let count = 0
/** The construct with these props, in the place that a released one has. */
function constructed(props: Partial<TicketKeyRingProps>) {
  count += 1
  const outdir = join(directory, String(count))
  const app: App = createApp({ outdir, bundle: false, validate: false })
  const stack = new Stack(app, 'TicketringRing')
  const watch = new Stack(app, 'TicketringRingWatch')
  const listener = (address: string) => [{ address, serverName: GIVEN.ServerName }]
  const ring = new TicketKeyRing(stack, 'Ring', {
    name: 'edge',
    targets: { tag: 'ticketring', values: ['edge'] },
    servers: {
      haproxy: {
        keys: '/run/ticketring/edge/haproxy.keys',
        keySize: 80,
        socket: PARAMETERS.HAProxySocket.default,
        owner: 'root',
        verify: listener(PARAMETERS.HAProxyListener.default),
      },
      nginx: {
        keys: '/run/ticketring/edge',
        keySize: 80,
        test: 'nginx -t',
        reload: 'systemctl reload nginx',
        owner: 'root',
        verify: listener(PARAMETERS.NginxListener.default),
      },
    },
    operations: { watch, alarms: { page: new SnsAction(Topic.fromTopicArn(stack, 'Page', PAGE)) } },
    ...props,
  })
  ring.grantRead(Role.fromRoleName(stack, 'Fleet', GIVEN.FleetRole))
  const assembly = app.synth()
  const read = (name: string) => resolved(assembly.getStackByName(name).template, { BootstrapVersion: '30' })
  return { ring: read('TicketringRing'), watch: read('TicketringRingWatch') }
}

/** Resources by id, less what a release takes from elsewhere: the code, and names that follow from a document's content. */
function comparable({ resources }: ReturnType<typeof resolved>): Readonly<Record<string, unknown>> {
  const documents = resources.filter(({ type }) => type === 'AWS::SSM::Document')
  const named = (text: string) =>
    documents
      .reduce((done, { logicalId, identity }) => done.replaceAll(identity.name, `<${logicalId}>`), text)
      .replaceAll(/:document\/ticketring-edge-(\*|\?{12})/g, ':document/<ours>')
      // One resource and a list of it are the same to IAM.
      .replaceAll(/"Resource":\[("[^"]*")\]/g, '"Resource":$1')
  const entries = resources
    .filter(({ type }) => type !== 'AWS::CDK::Metadata')
    .map(({ logicalId, type, properties: { Code: _, Name, ...properties } }) => {
      const whole = type === 'AWS::SSM::Document' ? properties : { ...properties, Name }
      return [logicalId, JSON.parse(named(JSON.stringify({ type, ...whole })))]
    })
  return Object.fromEntries(entries)
}

const CALENDARS = [
  'arn:aws:ssm:eu-west-1:123456789012:document/year-end',
  'arn:aws:ssm:eu-west-1:444455556666:document/bank-holidays',
]
const [FREEZE = ''] = CALENDARS
const ALARMS = ['edge-5xx', 'High CPU (edge)']
const CANARY = { tag: 'canary', values: ['yes'] }
const CANARY_ALONE = { CanaryTag: 'canary', CanaryValues: 'yes' }

const CASES: readonly (readonly [string, Values, Partial<TicketKeyRingProps>])[] = [
  ['nothing of it', {}, {}],
  ['a canary', CANARY_ALONE, { canary: CANARY }],
  [
    'a canary of several values, whose soak looks at alarms',
    { CanaryTag: 'canary', CanaryValues: 'yes,a', CanarySoak: '6300', StopOnAlarms: ALARMS.join(',') },
    { canary: { tag: 'canary', values: ['yes', 'a'], soak: Duration.seconds(6300), stopOnAlarms: ALARMS } },
  ],
  ['a calendar', { Calendars: FREEZE }, { rotation: { calendars: [FREEZE] } }],
  ['calendars', { Calendars: CALENDARS.join(',') }, { rotation: { calendars: CALENDARS } }],
  ['a watch on who reads it', { AccessWatch: 'on' }, { accessWatch: {} }],
  [
    'all of it',
    {
      CanaryTag: 'canary',
      CanaryValues: 'yes',
      StopOnAlarms: 'edge-5xx',
      Calendars: FREEZE,
      AccessWatch: 'on',
      AccessReaders: 'audit,break-glass',
    },
    {
      canary: { ...CANARY, stopOnAlarms: ['edge-5xx'] },
      rotation: { calendars: [FREEZE] },
      accessWatch: { readers: ['audit', 'break-glass'] },
    },
  ],
]

describe('the released template', () => {
  it.each(CASES)('with %s is what the construct makes of it', (_, values, props) => {
    const wanted = constructed(props)
    expect(comparable(resolved(released.template, values))).toEqual(comparable(wanted.ring))
    const alarms = ({ resources }: ReturnType<typeof resolved>) =>
      resources.filter(({ type }) => type === 'AWS::CloudWatch::Alarm').map(({ properties }) => properties)
    expect(alarms(resolved(released.watch, values))).toEqual(alarms(wanted.watch))
  })
})

describe('parameters that do not go together', () => {
  it.each<[string, Values, string]>([
    ['a tag without values', { CanaryTag: 'canary' }, 'wanted CanaryValues'],
    ['values without a tag', { CanaryValues: 'yes' }, 'wanted CanaryTag'],
    ['a soak without a canary', { CanarySoak: '60' }, 'wanted CanaryTag'],
    ['alarms without a canary', { StopOnAlarms: 'edge-5xx' }, 'wanted CanaryTag'],
    ['readers without a watch', { AccessReaders: 'audit' }, 'wanted AccessWatch'],
  ])('are refused: %s', (_, values, wanted) => {
    expect(() => resolved(released.template, values)).toThrow(new RegExp(`^Rule \\w+: ${wanted}`))
  })

  it('are told in a sentence of what was wanted, what came and what to do', () => {
    const rules = Object.values(released.template.Rules as Readonly<Record<string, Rule>>)
    expect(rules).toHaveLength(5)
    for (const { Assertions } of rules)
      for (const { AssertDescription } of Assertions)
        expect(AssertDescription).toMatch(/^wanted [A-Z]\w+: .+; came .+\. (Set|Leave) .+$/)
  })
})

interface Rule {
  readonly Assertions: readonly { readonly AssertDescription: string }[]
}

describe('what is not asked for', () => {
  const text = (values: Values) => JSON.stringify(resolved(released.template, values).resources)

  it.each<[string, Values, RegExp]>([
    ['alarms', { ...CANARY_ALONE, StopOnAlarms: 'edge-5xx' }, /cloudwatch:DescribeAlarms/g],
    ['calendars', { Calendars: FREEZE }, /ssm:GetCalendarState/g],
    ['accessWatch', { AccessWatch: 'on' }, /AWS::Events::Rule/g],
  ])('of %s is neither granted nor made', (_, values, grant) => {
    expect(text({}).match(grant)).toBeNull()
    expect(text(CANARY_ALONE).match(grant)).toBeNull()
    expect(text(values).match(grant)?.length).toBeGreaterThan(1)
  })
})

it('has room in its rules for as many readers as AccessReaders takes', () => {
  const longest = { FleetRole: 'f'.repeat(64), RingName: 'r'.repeat(29), AccessWatch: 'on' }
  const { MaxLength, AllowedPattern } = (released.template.Parameters as Readonly<Record<string, Bounds>>)
    .AccessReaders as Bounds
  const readers = Array.from({ length: 20 }, (_, n) => `${n}`.padStart(64, 'r')).join(',')
  const most = readers.slice(0, MaxLength)
  expect(most).toMatch(new RegExp(AllowedPattern))
  const { resources } = resolved(released.template, { ...longest, AccessReaders: most })
  const patterns = resources
    .filter(({ type }) => type === 'AWS::Events::Rule')
    .map(({ properties }) => JSON.stringify(properties.EventPattern).length)
  expect(Math.max(...patterns)).toBeLessThanOrEqual(2048)
  expect(Math.max(...patterns)).toBeGreaterThan(1800)
})

interface Bounds {
  readonly MaxLength: number
  readonly AllowedPattern: string
}
