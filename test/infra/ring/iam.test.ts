import { describe, expect, it } from 'vitest'
import { exampleRing } from '../app/example.ts'
import { flat, type Resource, synthesiseTemplate } from '../app/synthesis.ts'
import { evaluate } from '../fleet/access.ts'
import { describeOnlyPolicies } from '../fleet/only-policies.ts'
import { type Allowed, allowedBy, HERE, policiesOf, type Statement } from '../fleet/policies.ts'

const PARAMETERS = ['delivery', 'control'].map(
  (name) => `arn:<AWS::Partition>:ssm:${HERE}:parameter/ticketring/edge/${name}`,
)

const throughTheSecret = {
  StringEquals: {
    'kms:ViaService': 'secretsmanager.<AWS::Region>.amazonaws.com',
    'kms:EncryptionContext:SecretARN': '<EdgeRingSecret>',
  },
}

/** Everything that the template allows to any principal, and why. What is not here must not be there. */
const ALLOWED: Readonly<Record<string, readonly Allowed[]>> = {
  'EdgeRotationRole/rotate': [
    {
      actions: ['DescribeSecret', 'GetSecretValue', 'PutSecretValue', 'UpdateSecretVersionStage'].map(
        (action) => `secretsmanager:${action}`,
      ),
      on: ['<EdgeRingSecret>'],
      because: 'it reads labels and ring, stages the next ring and commits it by a label move',
    },
    {
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      on: ['<EdgeRingKey.Arn>'],
      when: throughTheSecret,
      because: 'Secrets Manager decrypts and encrypts the ring in its name',
    },
    {
      actions: ['ssm:SendCommand'],
      on: [`arn:<AWS::Partition>:ssm:${HERE}:document/ticketring-edge-????????????`],
      because:
        "it delivers with this ring's document, before and after a deploy changes it: no AWS-RunShellScript",
    },
    {
      actions: ['ssm:SendCommand'],
      on: [
        `arn:<AWS::Partition>:ec2:${HERE}:instance/*`,
        `arn:<AWS::Partition>:ssm:${HERE}:managed-instance/*`,
      ],
      when: { StringEquals: { 'ssm:resourceTag/ticketring': ['edge'] } },
      because: 'it delivers to the machines of the ring, EC2 and hybrid',
    },
    {
      actions: ['ssm:ListCommands', 'ssm:ListCommandInvocations', 'ssm:DescribeInstanceInformation'],
      on: ['*'],
      because: 'it polls, reads results and calls the roll: these know no resource',
    },
    {
      actions: ['ssm:GetParameters', 'ssm:PutParameter'],
      on: PARAMETERS,
      because: 'it keeps the delivery record, and what operators set',
    },
    {
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      on: ['<EdgeRotationLogs.Arn>'],
      because: 'it logs',
    },
  ],
  'EdgeSchedulesRole/wake': [
    {
      actions: ['lambda:InvokeFunction'],
      on: ['<EdgeRotationFunction.Arn>'],
      because: 'Scheduler wakes the function',
    },
    {
      actions: ['sqs:SendMessage'],
      on: ['<EdgeSchedulesUndelivered.Arn>'],
      because: 'Scheduler keeps what it could not hand over',
    },
  ],
  'EdgeStatusRole/look': [
    {
      actions: ['secretsmanager:DescribeSecret'],
      on: ['<EdgeRingSecret>'],
      because: 'it sees the labels, and no value: no key is ever in its memory',
    },
    {
      actions: ['ssm:DescribeInstanceInformation'],
      on: ['*'],
      because: 'it calls the roll, which knows no resource',
    },
    {
      actions: ['ssm:GetParameters'],
      on: PARAMETERS,
      because: 'it reads the delivery record, and what operators set',
    },
    {
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      on: ['<EdgeStatusLogs.Arn>'],
      because: 'it logs',
    },
  ],
  'terminators/fleet': [
    {
      actions: ['secretsmanager:GetSecretValue'],
      on: [`arn:<AWS::Partition>:secretsmanager:${HERE}:secret:ticketring/edge-??????`],
      when: { 'ForAnyValue:StringEquals': { 'secretsmanager:VersionStage': 'AWSCURRENT' } },
      because: 'a machine reads the ring that AWSCURRENT names',
    },
    {
      actions: ['kms:Decrypt'],
      on: ['<EdgeRingKey.Arn>'],
      when: throughTheSecret,
      because: 'Secrets Manager decrypts the ring in its name',
    },
  ],
}

const synthesis = synthesiseTemplate({ rings: [exampleRing()] })
const { resources } = synthesis

describeOnlyPolicies(resources, ALLOWED)

it('where Secrets Manager rotates, the function may ask for it, on this secret and this function alone', () => {
  const hooked = synthesiseTemplate({ rings: [exampleRing({ rotation: { trigger: 'secrets-manager' } })] })
  const withHook = (policiesOf(hooked.resources)['EdgeRotationRole/rotate'] ?? []).map(allowedBy)
  const without = (policiesOf(resources)['EdgeRotationRole/rotate'] ?? []).map(allowedBy)
  const known = without.map((each) => JSON.stringify(each))
  expect(withHook.filter((each) => !known.includes(JSON.stringify(each)))).toEqual([
    {
      actions: [...(without[0]?.actions ?? []), 'secretsmanager:RotateSecret'],
      on: ['<EdgeRingSecret>'],
    },
    {
      actions: ['lambda:InvokeFunction'],
      on: [`arn:<AWS::Partition>:lambda:${HERE}:function:ticketring-edge-rotation`],
    },
  ])
  expect(hooked.resources.lambda('ticketring-edge-rotation').Properties.FunctionName).toBe(
    'ticketring-edge-rotation',
  )
})

it('where calendars are named, both functions may ask those, and no others, for their state', () => {
  const shared = 'arn:aws:ssm:eu-west-1:444455556666:document/bank-holidays'
  const rotation = { calendars: ['year-end', shared] }
  const held = policiesOf(synthesiseTemplate({ rings: [exampleRing({ rotation })] }).resources)
  const plain = policiesOf(resources)
  for (const role of ['EdgeRotationRole/rotate', 'EdgeStatusRole/look']) {
    const known = (plain[role] ?? []).map((each) => JSON.stringify(allowedBy(each)))
    const more = (held[role] ?? []).map(allowedBy).filter((each) => !known.includes(JSON.stringify(each)))
    expect(more).toEqual([
      {
        actions: ['ssm:GetCalendarState'],
        on: [`arn:<AWS::Partition>:ssm:${HERE}:document/year-end`, shared],
      },
    ])
  }
})

it.each([
  ['eu-west-1', 'secretsmanager.eu-west-1.amazonaws.com'],
  ['cn-north-1', ['secretsmanager.cn-north-1.amazonaws.com', 'secretsmanager.cn-north-1.amazonaws.com.cn']],
])('the key is used through Secrets Manager of %s under whichever name it has there', (region, names) => {
  const there = policiesOf(synthesiseTemplate({ rings: [exampleRing()], regions: [region] }).resources)
  const statements = [...(there['EdgeRotationRole/rotate'] ?? []), ...(there['terminators/fleet'] ?? [])]
  const via = statements.flatMap(({ Condition }) => {
    const { StringEquals = {} } = (Condition ?? {}) as {
      readonly StringEquals?: Readonly<Record<string, unknown>>
    }
    return 'kms:ViaService' in StringEquals ? [StringEquals['kms:ViaService']] : []
  })
  expect(via).toEqual([names, names])
})

describe('who may take a role', () => {
  const trustOf = (name: string) => {
    const role = resources.entries().find(([id]) => id.startsWith(name))?.[1] as Resource
    return flat(role.Properties.AssumeRolePolicyDocument.Statement)
  }

  it('the rotation role: Lambda', () => {
    expect(trustOf('EdgeRotationRole')).toEqual([
      { Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } },
    ])
  })

  it('the status role: Lambda', () => {
    expect(trustOf('EdgeStatusRole')).toEqual(trustOf('EdgeRotationRole'))
  })

  it("the schedules' role: Scheduler, for this ring's schedule group in this account", () => {
    expect(trustOf('EdgeSchedulesRole')).toEqual([
      {
        Action: 'sts:AssumeRole',
        Effect: 'Allow',
        Principal: { Service: 'scheduler.amazonaws.com' },
        Condition: {
          StringEquals: {
            'aws:SourceAccount': '<AWS::AccountId>',
            'aws:SourceArn': `arn:<AWS::Partition>:scheduler:${HERE}:schedule-group/ticketring-edge`,
          },
        },
      },
    ])
  })
})

describe("a key's policy", () => {
  it('leaves access to the identity policies of the account and names no other principal', () => {
    expect(flat(resources.one('AWS::KMS::Key').Properties.KeyPolicy.Statement)).toEqual([
      {
        Action: 'kms:*',
        Effect: 'Allow',
        Principal: { AWS: 'arn:<AWS::Partition>:iam::<AWS::AccountId>:root' },
        Resource: '*',
      },
    ])
  })
})

describe("the secret's policy", () => {
  const document = flat(resources.one('AWS::SecretsManager::ResourcePolicy').Properties.ResourcePolicy)
  const ROTATION = 'role/ticketring-edge-rotation-eu-west-1'
  const attempt = (principal: string, action: string, context: Readonly<Record<string, string>> = {}) =>
    evaluate(document, { principal, action: `secretsmanager:${action}`, context })

  it('only denies, in three statements, and refuses to become public', () => {
    const { Statement: statements } = document as { Statement: Statement[] }
    expect(statements.map(({ Effect }) => Effect)).toEqual(['Deny', 'Deny', 'Deny'])
    expect(resources.one('AWS::SecretsManager::ResourcePolicy').Properties.BlockPublicPolicy).toBe(true)
  })

  it.each<[string, string, Readonly<Record<string, string>>, string]>([
    ['a machine reads AWSCURRENT', 'role/terminators', { VersionStage: 'AWSCURRENT' }, 'Allowed'],
    ['a machine that names nothing reads AWSCURRENT', 'role/terminators', {}, 'Allowed'],
    [
      'a machine never reads AWSPREVIOUS',
      'role/terminators',
      { VersionStage: 'AWSPREVIOUS' },
      'ExplicitlyDenied',
    ],
    [
      'a machine never reads AWSPENDING',
      'role/terminators',
      { VersionStage: 'AWSPENDING' },
      'ExplicitlyDenied',
    ],
    ['no other role reads by VersionId', 'role/Admin', { VersionId: 'advance-1' }, 'ExplicitlyDenied'],
    [
      'no other role reads by VersionId and AWSCURRENT',
      'role/Admin',
      { VersionId: 'advance-1', VersionStage: 'AWSCURRENT' },
      'ExplicitlyDenied',
    ],
    ['the rotation role reads by VersionId', ROTATION, { VersionId: 'advance-1' }, 'Allowed'],
    ['the rotation role reads AWSPENDING', ROTATION, { VersionStage: 'AWSPENDING' }, 'Allowed'],
    [
      'so does a successor of it by name',
      'role/ticketring-edge-rotation-eu-west-1-v2',
      { VersionId: 'advance-1' },
      'Allowed',
    ],
    [
      "another ring's rotation role does not",
      'role/ticketring-inner-rotation-eu-west-1',
      { VersionId: 'advance-1' },
      'ExplicitlyDenied',
    ],
  ])('%s', async (_, principal, context, result) => {
    expect(await attempt(principal, 'GetSecretValue', context)).toBe(result)
  })

  it.each([
    [
      'no other role moves a label to an old version, to read it there',
      'role/Admin',
      'UpdateSecretVersionStage',
      'ExplicitlyDenied',
    ],
    ['nor does a machine', 'role/terminators', 'UpdateSecretVersionStage', 'ExplicitlyDenied'],
    ['the rotation role moves labels', ROTATION, 'UpdateSecretVersionStage', 'Allowed'],
    ['an owner writes a ring: adopt', 'role/Admin', 'PutSecretValue', 'Allowed'],
    [
      'an owner changes this policy, and so is never locked out',
      'role/Admin',
      'PutResourcePolicy',
      'Allowed',
    ],
    ['an owner takes this policy away', 'role/Admin', 'DeleteResourcePolicy', 'Allowed'],
  ])('%s', async (_, principal, action, result) => {
    expect(await attempt(principal, action)).toBe(result)
  })
})
