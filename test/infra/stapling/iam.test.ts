import { describe, expect, it } from 'vitest'
import { exampleSet, VPC } from '../app/example.ts'
import { flat, type Resource, synthesiseTemplate } from '../app/synthesis.ts'
import { describeOnlyPolicies } from '../fleet/only-policies.ts'
import { type Allowed, allowedBy, HERE, policiesOf, type Statement } from '../fleet/policies.ts'

const SSM = `arn:<AWS::Partition>:ssm:${HERE}`
const EC2 = `arn:<AWS::Partition>:ec2:${HERE}`

/** Everything that the template allows to any principal, and why. What is not here must not be there. */
const ALLOWED: Readonly<Record<string, readonly Allowed[]>> = {
  'EdgeStaplesRefreshRole/staple': [
    {
      actions: ['ssm:GetParameters'],
      on: [`${SSM}:parameter/ticketring/example/chain`],
      because: 'it reads the chain of each certificate',
    },
    {
      actions: ['ssm:GetParameter', 'ssm:GetParameters', 'ssm:PutParameter'],
      on: [`${SSM}:parameter/ticketring/staples/edge/*`],
      because: 'it keeps the staples, and reads an earlier version where two wrote at once',
    },
    {
      actions: ['ssm:SendCommand'],
      on: [`${SSM}:document/ticketring-staples-edge-????????????`],
      because: "it delivers with this set's document and no other",
    },
    {
      actions: ['ssm:SendCommand'],
      on: [`${EC2}:instance/*`, `${SSM}:managed-instance/*`],
      when: { StringEquals: { 'ssm:resourceTag/ticketring': ['edge'] } },
      because: 'it delivers to the machines of the set, EC2 and hybrid',
    },
    {
      actions: ['ssm:ListCommands', 'ssm:ListCommandInvocations', 'ssm:DescribeInstanceInformation'],
      on: ['*'],
      because: 'it polls, reads results and calls the roll: these know no resource',
    },
    {
      actions: ['ssm:GetParameter', 'ssm:PutParameter'],
      on: [`${SSM}:parameter/ticketring/edge/staples`],
      because: 'it keeps the delivery record',
    },
    {
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      on: ['<EdgeStaplesRefreshLogs.Arn>'],
      because: 'it logs',
    },
  ],
  'EdgeStaplesSchedulesRole/wake': [
    {
      actions: ['lambda:InvokeFunction'],
      on: ['<EdgeStaplesRefreshFunction.Arn>'],
      because: 'Scheduler wakes the function',
    },
    {
      actions: ['sqs:SendMessage'],
      on: ['<EdgeStaplesSchedulesUndelivered.Arn>'],
      because: 'Scheduler keeps what it could not hand over',
    },
  ],
  'EdgeStaplesStatusRole/look': [
    {
      actions: ['ssm:GetParameters'],
      on: [`${SSM}:parameter/ticketring/example/chain`],
      because: 'it reads the chain of each certificate',
    },
    {
      actions: ['ssm:GetParameters'],
      on: [`${SSM}:parameter/ticketring/staples/edge/*`],
      because: 'it reads the staples',
    },
    {
      actions: ['ssm:DescribeInstanceInformation'],
      on: ['*'],
      because: 'it calls the roll, which knows no resource',
    },
    {
      actions: ['ssm:GetParameter'],
      on: [`${SSM}:parameter/ticketring/edge/staples`],
      because: 'it reads the delivery record',
    },
    {
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      on: ['<EdgeStaplesStatusLogs.Arn>'],
      because: 'it logs',
    },
  ],
  'terminators/fleet': [
    {
      actions: ['ssm:GetParameters'],
      on: [`${SSM}:parameter/ticketring/staples/edge/*`],
      because: 'a machine reads the staples of the certificates that it has',
    },
  ],
}

const { resources } = synthesiseTemplate({ stapling: [exampleSet()] })
function statementsOf(replaced: object): readonly Statement[] {
  const synthesis = synthesiseTemplate({ stapling: [exampleSet(replaced)] })
  return policiesOf(synthesis.resources)['EdgeStaplesRefreshRole/staple'] ?? []
}

describeOnlyPolicies(resources, ALLOWED)

describe('who may take a role', () => {
  const roleOf = (name: string) => resources.entries().find(([id]) => id.startsWith(name))?.[1] as Resource

  it("the function's: Lambda, under a name that no ring's role can have", () => {
    const { AssumeRolePolicyDocument, RoleName } = roleOf('EdgeStaplesRefreshRole').Properties
    expect(flat(RoleName)).toBe('ticketring-edge-staples-<AWS::Region>')
    expect(flat(AssumeRolePolicyDocument.Statement)).toEqual([
      { Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } },
    ])
  })

  it("the schedules': Scheduler, for this set's schedule group in this account", () => {
    const { AssumeRolePolicyDocument } = roleOf('EdgeStaplesSchedulesRole').Properties
    expect(flat(AssumeRolePolicyDocument.Statement)).toMatchObject([
      {
        Principal: { Service: 'scheduler.amazonaws.com' },
        Condition: {
          StringEquals: {
            'aws:SourceAccount': '<AWS::AccountId>',
            'aws:SourceArn': `arn:<AWS::Partition>:scheduler:${HERE}:schedule-group/ticketring-edge-staples`,
          },
        },
      },
    ])
  })
})

describe('chains', () => {
  const KEY = 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd'
  const secret = (name: string) => `arn:aws:secretsmanager:eu-west-1:123456789012:secret:${name}-AbCdEf`
  const chains = (...all: object[]) =>
    statementsOf({ certificates: all.map((chain, index) => ({ name: `c${index}`, chain })) }).filter(
      ({ Sid }) => /Chains/.test(String(Sid)),
    )

  it('are named one by one, parameters and secrets apart', () => {
    const read = chains(
      { parameter: '/tls/a' },
      { parameter: 'b' },
      { secret: secret('tls/c'), field: 'chain' },
    )
    expect(read.map(allowedBy)).toEqual([
      { actions: ['ssm:GetParameters'], on: [`${SSM}:parameter/tls/a`, `${SSM}:parameter/b`] },
      { actions: ['secretsmanager:GetSecretValue'], on: [secret('tls/c')] },
    ])
  })

  it("under a key of the owner's may be decrypted by that key, for these chains alone", () => {
    const read = chains(
      { secret: secret('a'), key: KEY },
      { secret: secret('b') },
      { parameter: '/c', key: KEY },
    )
    expect(read.map(allowedBy).filter(({ actions }) => actions.includes('kms:Decrypt'))).toEqual([
      {
        actions: ['kms:Decrypt'],
        on: [KEY],
        when: {
          StringEquals: { 'kms:ViaService': 'ssm.<AWS::Region>.amazonaws.com' },
          StringLike: { 'kms:EncryptionContext:PARAMETER_ARN': [`${SSM}:parameter/c`] },
        },
      },
      {
        actions: ['kms:Decrypt'],
        on: [KEY],
        when: {
          StringEquals: { 'kms:ViaService': 'secretsmanager.<AWS::Region>.amazonaws.com' },
          StringLike: { 'kms:EncryptionContext:SecretARN': [secret('a')] },
        },
      },
    ])
  })

  it('are named by their path where the owner says so, and there are no others', () => {
    const certificates = Array.from({ length: 1000 }, (_, index) => ({
      name: `c${index}`,
      chain: { parameter: `/tls/host-${index}/chain` },
    }))
    const read = statementsOf({ certificates, chainPath: '/tls' }).filter(({ Sid }) => Sid === 'ReadChains')
    expect(read.map(allowedBy)).toEqual([{ actions: ['ssm:GetParameters'], on: [`${SSM}:parameter/tls/*`] }])
  })

  it('as many as a role can name fit its policy of 10,240 characters', () => {
    const certificates = Array.from({ length: 80 }, (_, index) => ({
      name: `c${index}`,
      chain: { parameter: `/tls/host-number-${index}/chain` },
    }))
    const policy = JSON.stringify(statementsOf({ certificates, vpc: VPC }))
      .replaceAll('<AWS::Partition>', 'aws-us-gov')
      .replaceAll('<AWS::Region>', 'ap-southeast-1')
      .replaceAll('<AWS::AccountId>', '123456789012')
    expect(policy.length).toBeLessThan(10_240)
  })
})

describe('in a VPC', () => {
  const statements = statementsOf({ vpc: VPC })
  const known = statementsOf({}).map((each) => JSON.stringify(each))
  const further = statements.filter((each) => !known.includes(JSON.stringify(each)))

  it('Lambda may have interfaces in these subnets and security groups, as its guide wants it', () => {
    expect(further.filter(({ Effect }) => Effect === 'Allow').map(allowedBy)).toEqual([
      {
        actions: ['ec2:CreateNetworkInterface'],
        on: [
          ...VPC.subnetIds.map((id) => `${EC2}:subnet/${id}`),
          ...VPC.securityGroupIds.map((id) => `${EC2}:security-group/${id}`),
          `${EC2}:network-interface/*`,
        ],
      },
      {
        actions: [
          'ec2:DeleteNetworkInterface',
          'ec2:AssignPrivateIpAddresses',
          'ec2:UnassignPrivateIpAddresses',
        ],
        on: [`${EC2}:*/*`],
      },
      { actions: ['ec2:DescribeNetworkInterfaces', 'ec2:DescribeSubnets'], on: ['*'] },
    ])
  })

  it("the function's own code may do none of that", () => {
    const [denied, ...others] = further.filter(({ Effect }) => Effect === 'Deny')
    expect(others).toEqual([])
    expect(denied).toMatchObject({
      Resource: '*',
      Condition: {
        ArnEquals: {
          'lambda:SourceFunctionArn': `arn:<AWS::Partition>:lambda:${HERE}:function:ticketring-edge-staples`,
        },
      },
    })
    const allowed = further.filter(({ Effect }) => Effect === 'Allow').flatMap(({ Action }) => Action)
    expect(new Set(denied?.Action as string[])).toEqual(new Set(allowed))
  })
})
