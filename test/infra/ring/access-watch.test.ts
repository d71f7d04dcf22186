import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { exampleRing, problemsIn } from '../app/example.ts'
import { synthesiseTemplate } from '../app/synthesis.ts'
import { matches } from './event-pattern.ts'

const ACCOUNT = '123456789012'
const PAGE = `arn:aws:sns:eu-west-1:${ACCOUNT}:page`
const SECRET = `arn:aws:secretsmanager:eu-west-1:${ACCOUNT}:secret:ticketring/edge-AbCdEf`
const DOCUMENT = 'ticketring-edge-0123456789ab'

const watchedRing = (accessWatch: object) => ({ ...exampleRing(), accessWatch })
const { resources, watched } = synthesiseTemplate({
  rings: [watchedRing({ readers: ['audit'] })],
  regions: ['eu-west-1'],
  alarms: { page: PAGE },
})

/** A pattern with what it refers to written out, as CloudFormation does. */
function writtenOut(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(writtenOut)
  if (typeof value !== 'object' || value === null) return value
  const [[operator = '', operand] = []] = Object.entries(value)
  if (operator === 'Fn::Join') return (operand as [string, unknown[]])[1].map(writtenOut).join('')
  if (operator === 'Ref') return REFERRED.find(([id]) => id.test(String(operand)))?.[1]
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, writtenOut(inner)]))
}
const REFERRED = [
  [/^AWS::Partition$/, 'aws'],
  [/^AWS::AccountId$/, ACCOUNT],
  [/^AWS::Region$/, 'eu-west-1'],
  [/Secret/, SECRET],
  [/Document/, DOCUMENT],
] as const

const rules = resources.all('AWS::Events::Rule').map(({ Properties }) => Properties)
const patterns = rules.map(({ Name, EventPattern }) => [Name, writtenOut(EventPattern) as object] as const)

/** Who calls, as CloudTrail tells. Source: CloudTrail user guide, userIdentity element. */
const role = (name: string, { account = ACCOUNT, path = '/', ...more } = {}) => ({
  type: 'AssumedRole',
  arn: `arn:aws:sts::${account}:assumed-role/${name}/session`,
  accountId: account,
  sessionContext: {
    sessionIssuer: {
      type: 'Role',
      arn: `arn:aws:iam::${account}:role${path}${name}`,
      accountId: account,
      userName: name,
    },
  },
  ...more,
})
const user = (userName: string) => ({
  type: 'IAMUser',
  arn: `arn:aws:iam::${ACCOUNT}:user/${userName}`,
  accountId: ACCOUNT,
  userName,
})
const ROTATION = role('ticketring-edge-rotation-eu-west-1')
const MACHINE = role('terminators')
const ADMIN = role('Admin')
const DEPLOY = role('cdk-hnb659fds-cfn-exec-role-123456789012-eu-west-1', {
  invokedBy: 'cloudformation.amazonaws.com',
} as object)

/** Names of the rules that a call matches. */
function matched(call: string, requestParameters: object, userIdentity: object, more: object = {}): string[] {
  const [service, eventName] = call.split(':')
  const event = {
    source: `aws.${service}`,
    'detail-type': 'AWS API Call via CloudTrail',
    detail: { eventSource: `${service}.amazonaws.com`, eventName, userIdentity, requestParameters, ...more },
  }
  const names = patterns.filter(([, pattern]) => matches(pattern as never, event)).map(([name]) => name)
  return names.map((name) => name.replace('ticketring-edge-', ''))
}

const READ = 'secretsmanager:GetSecretValue'
const OURS = { secretId: SECRET, versionStage: 'AWSCURRENT' }

describe('a read of the ring', () => {
  it.each([
    ['an administrator', ADMIN],
    ['a user', user('ada')],
    ['a user of the name of a reader', user('terminators')],
    ['the root user', { type: 'Root', arn: `arn:aws:iam::${ACCOUNT}:root`, accountId: ACCOUNT }],
    ['another account', { type: 'AWSAccount', principalId: 'AROA:x', accountId: '444455556666' }],
    ["a role of a reader's name in another account", role('terminators', { account: '444455556666' })],
    ['a deploy, which has no use for it', DEPLOY],
    ["another ring's function", role('ticketring-inner-rotation-eu-west-1')],
    [
      "a federated user of a user's credentials, whose name is a reader's",
      { ...user('x'), sessionContext: { sessionIssuer: { type: 'IAMUser', userName: 'terminators' } } },
    ],
  ])('by %s pages', (_, who) => {
    expect(matched(READ, OURS, who)).toEqual(['read-by-others'])
  })

  it.each([
    ['the function', ROTATION],
    ['a machine', MACHINE],
    ['a machine whose role has a path', role('terminators', { path: '/fleet/' })],
    ['a role that is named as a reader', role('audit')],
  ])('by %s does not', (_, who) => {
    expect(matched(READ, OURS, who)).toEqual([])
    expect(matched('secretsmanager:BatchGetSecretValue', { secretIdList: [SECRET] }, who)).toEqual([])
  })

  it.each([
    ['ticketring/edge'],
    [`arn:aws:secretsmanager:eu-west-1:${ACCOUNT}:secret:ticketring/edge`],
    [SECRET],
  ])('is known by each name that a caller may use: %s', (secretId) => {
    expect(matched(READ, { secretId }, ADMIN)).toEqual(['read-by-others'])
    expect(matched('secretsmanager:BatchGetSecretValue', { secretIdList: ['x', secretId] }, ADMIN)).toEqual([
      'read-by-others',
    ])
  })

  it('of another secret, or one that was refused, does not page', () => {
    for (const secretId of ['ticketring/edge2', SECRET.replace('edge', 'edge-b'), 'db/password'])
      expect(matched(READ, { secretId }, ADMIN)).toEqual([])
    expect(matched(READ, OURS, ADMIN, { errorCode: 'AccessDenied' })).toEqual([])
  })
})

describe('a change', () => {
  const documentArn = `arn:aws:ssm:eu-west-1:${ACCOUNT}:document/${DOCUMENT}`
  const CHANGES = [
    ...['PutResourcePolicy', 'DeleteResourcePolicy', 'PutSecretValue', 'UpdateSecret', 'DeleteSecret'].map(
      (name) => [`secretsmanager:${name}`, { secretId: SECRET }] as const,
    ),
    ['secretsmanager:UpdateSecretVersionStage', { secretId: 'ticketring/edge', versionStage: 'AWSCURRENT' }],
    ['secretsmanager:RotateSecret', { secretId: SECRET }],
    ['ssm:UpdateDocument', { name: DOCUMENT }],
    ['ssm:UpdateDocument', { name: documentArn }],
    ['ssm:DeleteDocument', { name: DOCUMENT }],
    ['ssm:ModifyDocumentPermission', { name: DOCUMENT, accountIdsToAdd: ['all'] }],
    ['ssm:CreateDocument', { name: DOCUMENT }],
    ['ssm:PutParameter', { name: '/ticketring/edge/delivery', overwrite: true }],
    ['ssm:DeleteParameter', { name: '/ticketring/edge/control' }],
    ['ssm:DeleteParameters', { names: ['/x', '/ticketring/edge/delivery'] }],
  ] as const

  it.each(CHANGES)('%s of %o by others pages; by the function and by a deploy it does not', (call, what) => {
    for (const who of [ADMIN, user('ada'), MACHINE])
      expect(matched(call, what, who)).toEqual(['changed-by-others'])
    for (const who of [ROTATION, DEPLOY]) expect(matched(call, what, who)).toEqual([])
    expect(matched(call, what, ADMIN, { errorCode: 'AccessDenied' })).toEqual([])
  })

  it.each([
    ['ssm:PutParameter', { name: '/ticketring/edge/control' }],
    ['ssm:PutParameter', { name: '/ticketring/inner/delivery' }],
    ['ssm:UpdateDocument', { name: 'AWS-RunShellScript' }],
    ['secretsmanager:PutSecretValue', { secretId: 'db/password' }],
    ['secretsmanager:DescribeSecret', { secretId: SECRET }],
  ])('%s of %o is no change of this kind: operators may, or it is none of the ring', (call, what) => {
    expect(matched(call, what, ADMIN)).toEqual([])
  })
})

describe('the watch itself', () => {
  it("hears each tick of the function, and nobody else's", () => {
    expect(matched('secretsmanager:DescribeSecret', { secretId: SECRET }, ROTATION)).toEqual(['heard'])
    expect(matched('secretsmanager:DescribeSecret', { secretId: SECRET }, MACHINE)).toEqual([])
  })

  it('has reads told to its rules, which the usual state leaves out', () => {
    expect(rules.map(({ State }) => State)).toEqual(
      Array(3).fill('ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS'),
    )
  })

  it('pages once a rule has matched once, and where it has become deaf, also without the stack', () => {
    const named = (from: typeof resources) =>
      from.all('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties)
    for (const heading of ['read-by-others', 'changed-by-others']) {
      const alarm = named(resources).find(({ AlarmName }) => AlarmName === `ticketring-edge-${heading}`)
      expect(alarm).toMatchObject({
        Namespace: 'AWS/Events',
        MetricName: 'TriggeredRules',
        Dimensions: [{ Name: 'RuleName', Value: `ticketring-edge-${heading}` }],
        Statistic: 'Sum',
        Threshold: 0,
        EvaluationPeriods: 1,
        AlarmActions: [PAGE],
      })
    }
    const deaf = named(watched).find(({ AlarmName }) => AlarmName === 'ticketring-edge-watch-deaf')
    expect(deaf).toMatchObject({
      Dimensions: [{ Name: 'RuleName', Value: 'ticketring-edge-heard' }],
      TreatMissingData: 'missing',
      InsufficientDataActions: [PAGE],
    })
  })

  it('has a heading in the runbook for each of its alarms', () => {
    const runbook = readFileSync('docs/runbook.md', 'utf8')
    for (const title of ['Read by others', 'Changed by others', 'Watch deaf'])
      expect(runbook).toContain(`\n## ${title}\n`)
    const texts = [...resources.all('AWS::CloudWatch::Alarm'), ...watched.all('AWS::CloudWatch::Alarm')]
      .map(({ Properties }) => String(Properties.AlarmDescription))
      .join('\n')
    for (const heading of ['read-by-others', 'changed-by-others', 'watch-deaf'])
      expect(texts).toContain(`docs/runbook.md#${heading}`)
  })

  it('keeps what others did for two weeks, and lets its own rules alone write there', () => {
    const queues = resources
      .entries()
      .filter(([id, { Type }]) => Type === 'AWS::SQS::Queue' && /Access/.test(id))
    expect(queues.map(([, { Properties }]) => Properties.MessageRetentionPeriod)).toEqual([1_209_600, 60])
    const statements = resources
      .all('AWS::SQS::QueuePolicy')
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
      .filter(({ Principal }) => Principal.Service === 'events.amazonaws.com')
    expect(statements).toHaveLength(3)
    for (const { Action, Condition } of statements) {
      expect(Action).toBe('sqs:SendMessage')
      expect(JSON.stringify(Condition)).toMatch(/^\{"ArnEquals":\{"aws:SourceArn":\{"Fn::GetAtt":/)
    }
  })

  it('is not there unless it is asked for, and takes names of roles alone', () => {
    const plain = synthesiseTemplate({ rings: [exampleRing()] }).resources
    expect(plain.all('AWS::Events::Rule')).toEqual([])
    const problems = problemsIn(
      { rings: [watchedRing({ readers: ['arn:aws:iam::1:role/x'] })] },
      'ticketring.',
    )
    expect(problems.join()).toContain('accessWatch.readers[0]: wanted names of IAM roles')
  })

  it('refuses more readers than a rule has room for', () => {
    const readers = Array.from({ length: 20 }, (_, n) => `${n}`.padStart(64, 'r'))
    expect(() => synthesiseTemplate({ rings: [watchedRing({ readers })] })).toThrow(
      /2048 characters of its pattern/,
    )
  })
})

/** Source: EventBridge user guide, the examples of its comparison operators. */
describe('the matcher', () => {
  it.each([
    [{ state: [{ 'anything-but': 'initializing' }] }, { state: 'running' }, true],
    [{ state: [{ 'anything-but': 'initializing' }] }, { state: 'initializing' }, false],
    [{ 'x-limit': [{ 'anything-but': [100, 200, 300] }] }, { 'x-limit': 200 }, false],
    [{ state: [{ 'anything-but': 'initializing' }] }, {}, false],
    [{ FileName: [{ suffix: '.png' }] }, { FileName: 'a.png' }, true],
    [{ detail: { 'c-count': [{ exists: false }] } }, { detail: { state: 'x' } }, true],
    [{ detail: { 'c-count': [{ exists: false }] } }, {}, true],
    [{ resources: ['b', 'c'] }, { resources: ['a', 'b'] }, true],
    [{ detail: { $or: [{ a: ['1'] }, { b: ['2'] }] } }, { detail: { b: '2' } }, true],
    [{ detail: { $or: [{ a: ['1'] }, { b: ['2'] }] } }, { detail: { a: '2', b: '1' } }, false],
  ])('says of %j and %j: %s', (pattern, event, told) => {
    expect(matches(pattern, event)).toBe(told)
  })
})
