import { describe, expect, it } from 'vitest'
import {
  parseStapleConfiguration,
  STAPLES_VARIABLE,
  type StapleConfiguration,
} from '../../../lambda/staples/configuration.ts'
import { parseStapleRequest } from '../../../lambda/staples/request.ts'
import { exampleRing, exampleSet, HAPROXY_STAPLING, NGINX_STAPLING, VPC } from '../app/example.ts'
import { flat, type Resources, synthesiseTemplate } from '../app/synthesis.ts'

const { resources, stapling, summary, template } = synthesiseTemplate({ stapling: [exampleSet()] })
const staple = resources.lambda('ticketring-edge-staples')

const synthesiseSet = (replaced: object) => synthesiseTemplate({ stapling: [exampleSet(replaced)] })

function configurationOf(from: Resources): StapleConfiguration {
  const { Variables } = from.lambda('ticketring-edge-staples').Properties.Environment
  return parseStapleConfiguration(Variables[STAPLES_VARIABLE])
}

describe('the function', () => {
  it('runs on Node 24 on arm64, for less than the shortest tick, with room for a thousand certificates', () => {
    expect(staple.Properties).toMatchObject({
      FunctionName: 'ticketring-edge-staples',
      Handler: 'index.handler',
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Timeout: 300,
      MemorySize: 512,
    })
    expect(staple.Properties.VpcConfig).toBeUndefined()
  })

  it('has one environment variable without any reference, which its own parser takes', () => {
    expect(Object.keys(staple.Properties.Environment.Variables)).toEqual([STAPLES_VARIABLE])
    expect(configurationOf(resources)).toEqual({
      set: 'edge',
      certificates: [
        {
          name: 'www',
          chain: { parameter: '/ticketring/example/chain' },
          hash: 'sha1',
          revoked: 'staple',
          mustStaple: 'withdraw',
        },
      ],
      document: {
        name: stapling[0]?.document.name,
        version: '1',
        script: stapling[0]?.document.script,
      },
      target: { tag: 'ticketring', values: ['edge'], minInstances: 2 },
      store: '/ticketring/staples/edge',
      record: '/ticketring/edge/staples',
      timing: { tick: 900, least: 3600, most: 86_400, delivery: 120, execution: 120 },
      haproxy: true,
      allow: [],
    })
  })

  it('is told where a chain is, and nothing of the key that encrypts it', () => {
    const secret = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:tls/www-AbCdEf'
    const key = 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd'
    const { resources: others } = synthesiseSet({
      servers: { nginx: NGINX_STAPLING },
      certificates: [{ name: 'www', chain: { secret, field: 'chain', key }, hash: 'sha256', maxAge: '7d' }],
      allow: ['10.0.0.0/8'],
    })
    expect(configurationOf(others)).toMatchObject({
      certificates: [{ chain: { secret, field: 'chain' }, hash: 'sha256', maxAge: 604_800 }],
      haproxy: false,
      allow: ['10.0.0.0/8'],
    })
    expect(JSON.stringify(configurationOf(others))).not.toContain(key)
  })

  it('takes its certificates from a file beside it where the environment has no room for them', () => {
    const certificates = Array.from({ length: 1000 }, (_, index) => ({
      name: `c${index}`,
      chain: { parameter: `/tls/host-${index}/chain` },
    }))
    const { resources: many } = synthesiseSet({ certificates, chainPath: '/tls' })
    const text: string =
      many.lambda('ticketring-edge-staples').Properties.Environment.Variables[STAPLES_VARIABLE]
    expect(STAPLES_VARIABLE.length + text.length).toBeLessThan(4096)
    expect(JSON.parse(text).certificates).toEqual({ file: 'certificates.json' })
  })

  it('gives a delivery up before the next run redelivers, however often it runs', () => {
    const { timing } = configurationOf(synthesiseSet({ refresh: { every: '5m' } }).resources)
    expect(timing.delivery + timing.execution).toBeLessThan(timing.tick)
    expect(staple.Properties.Timeout).toBeLessThanOrEqual(timing.tick)
  })

  it('that only looks is the same code with the same configuration, by the export that refuses to act', () => {
    const { Properties } = resources.lambda('ticketring-edge-staples-status')
    expect(Properties.Handler).toBe('index.status')
    expect(Properties.Code).toEqual(staple.Properties.Code)
    expect(Properties.Environment).toEqual(staple.Properties.Environment)
  })

  it('is never retried by Lambda itself: the next run looks again', () => {
    expect(resources.one('AWS::Lambda::EventInvokeConfig').Properties.MaximumRetryAttempts).toBe(0)
  })

  it('logs into a group with an end that outlives the stack', () => {
    expect(flat(staple.Properties.LoggingConfig)).toEqual({ LogGroup: '<EdgeStaplesRefreshLogs>' })
    expect(resources.logGroupOf('ticketring-edge-staples')).toMatchObject({
      DeletionPolicy: 'RetainExceptOnCreate',
      Properties: { RetentionInDays: 365 },
    })
  })
})

describe('in a VPC', () => {
  const { resources: inside } = synthesiseSet({ vpc: VPC })

  it('has the subnets and security groups that the owner names', () => {
    expect(inside.lambda('ticketring-edge-staples').Properties.VpcConfig).toEqual({
      SubnetIds: VPC.subnetIds,
      SecurityGroupIds: VPC.securityGroupIds,
    })
  })

  it('so has the one that only looks: what it is asked to explain may need the same issuer', () => {
    expect(inside.lambda('ticketring-edge-staples-status').Properties.VpcConfig).toEqual({
      SubnetIds: VPC.subnetIds,
      SecurityGroupIds: VPC.securityGroupIds,
    })
  })

  it('changes both functions and their roles, and nothing else', () => {
    const changed = inside
      .entries()
      .filter(([id, resource]) => {
        const [, before] = resources.entries().find(([other]) => other === id) ?? []
        return JSON.stringify(before) !== JSON.stringify(resource)
      })
      .map(([, { Type }]) => Type)
    expect(changed.sort()).toEqual([
      'AWS::IAM::Role',
      'AWS::IAM::Role',
      'AWS::Lambda::Function',
      'AWS::Lambda::Function',
    ])
  })
})

describe('the schedule', () => {
  it.each([
    [{}, 15],
    [{ every: '5m' }, 5],
    [{ every: '1h' }, 60],
  ])('with %j wakes the function every %i minutes', (refresh, minutes) => {
    const schedule = synthesiseSet({ refresh }).resources.one('AWS::Scheduler::Schedule').Properties
    expect(schedule).toMatchObject({
      Name: 'ticketring-edge-staples-refresh',
      ScheduleExpression: `rate(${minutes} minutes)`,
      FlexibleTimeWindow: { Mode: 'OFF' },
    })
    expect(schedule.Target.RetryPolicy).toEqual({
      MaximumRetryAttempts: 2,
      MaximumEventAgeInSeconds: minutes * 60,
    })
  })

  it('sends an event that the function takes, and keeps what it could not hand over', () => {
    const { Target } = resources.one('AWS::Scheduler::Schedule').Properties
    expect(parseStapleRequest(JSON.parse(Target.Input))).toEqual({ action: 'refresh', force: false })
    expect(flat(Target.DeadLetterConfig)).toEqual({ Arn: '<EdgeStaplesSchedulesUndelivered.Arn>' })
  })
})

describe('what reaches the machines', () => {
  it('is a document that is replaced, never edited', () => {
    const { Properties } = resources.one('AWS::SSM::Document')
    expect(Properties).toMatchObject({
      Name: stapling[0]?.document.name,
      TargetType: '/',
      UpdateMethod: 'Replace',
    })
    expect(Properties.Content).toEqual(stapling[0]?.document.content)
  })

  it('comes to new and drifted machines by an association that tells them to hold all there is', () => {
    expect(flat(resources.one('AWS::SSM::Association').Properties)).toEqual({
      AssociationName: 'ticketring-edge-staples',
      Name: '<EdgeStaplesDeliveryDocument>',
      DocumentVersion: '1',
      Parameters: { Staples: ['all'], Program: ['keep'] },
      ScheduleExpression: 'rate(30 minutes)',
      Targets: [{ Key: 'tag:ticketring', Values: ['edge'] }],
      MaxConcurrency: '25%',
      MaxErrors: '100%',
      ComplianceSeverity: 'MEDIUM',
    })
  })
})

it('its machines repair themselves as often as it says, and find Systems Manager where it says', () => {
  const ssm = 'https://ssm-fips.us-east-1.amazonaws.com'
  const set = exampleSet({ repairEvery: '2h', endpoints: { ssm } })
  const repaired = synthesiseTemplate({ stapling: [set] }).resources
  expect(repaired.one('AWS::SSM::Association').Properties.ScheduleExpression).toBe('rate(2 hours)')
  expect(JSON.stringify(repaired.one('AWS::SSM::Document').Properties.Content)).toContain(
    `ENDPOINT_SSM=${ssm}`,
  )
})

describe('the stack tells', () => {
  it('the function of each set as an output', () => {
    const outputs = flat(template.Outputs) as Record<string, { Value: string }>
    expect(outputs.EdgeStaplesFunction?.Value).toBe('<EdgeStaplesRefreshFunction>')
  })

  it('which machines, which certificates, from where responders are asked, and what it may touch', () => {
    const certificates = [...'abcdefg'].map((name) => ({ name, chain: { parameter: `/tls/${name}` } }))
    const inside = synthesiseSet({ vpc: VPC, allow: ['10.0.0.0/8'], fleetRoles: [], certificates }).summary
    const facts: readonly (readonly [readonly string[], readonly string[]])[] = [
      [
        summary,
        [
          'staples edge: machines tagged ticketring = edge, at least 2, with haproxy and nginx',
          'certificates: www',
          'from outside any VPC',
          'every 15m',
          'parameters /ticketring/staples/edge/* and /ticketring/edge/staples',
          `document ${stapling[0]?.document.name}`,
          'role terminators',
        ],
      ],
      [
        inside,
        [
          'certificates: a, b, c, d, e and 2 more',
          `from subnets ${VPC.subnetIds.join(', ')}`,
          '10.0.0.0/8',
          'no role yet',
        ],
      ],
    ]
    for (const [lines, wanted] of facts) for (const fact of wanted) expect(lines.join('\n')).toContain(fact)
  })

  it('for whatever plays it: names and configuration of each set', () => {
    expect(stapling).toMatchObject([
      {
        name: 'edge',
        functionName: 'ticketring-edge-staples',
        storePath: '/ticketring/staples/edge',
        recordName: '/ticketring/edge/staples',
        fleetRoles: ['terminators'],
        servers: { haproxy: HAPROXY_STAPLING },
      },
    ])
  })
})

describe('a set and a ring of one name', () => {
  const both = synthesiseTemplate({ rings: [exampleRing()], stapling: [exampleSet()] })
  const alone = synthesiseTemplate({ rings: [exampleRing()] })

  it('share no resource, and leave each other as they are', () => {
    const known = Object.fromEntries([...alone.resources.unshared(), ...resources.unshared()])
    expect(Object.fromEntries(both.resources.unshared())).toEqual(known)
    expect(Object.keys(known)).toHaveLength(alone.resources.unshared().length + resources.unshared().length)
  })

  it('share no name', () => {
    const names = both.resources.entries().flatMap(([, { Type, Properties }]) =>
      Object.entries(Properties ?? {})
        .filter(([key]) => /Name$/.test(key) && !/^(MetricName|GroupName|FunctionName)$/.test(key))
        .map(([, name]) => `${Type} ${JSON.stringify(flat(name))}`),
    )
    expect(new Set(names).size).toBe(names.length)
  })
})
