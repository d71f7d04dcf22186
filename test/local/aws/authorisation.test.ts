import { GetSecretValueCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { ListCommandsCommand, SendCommandCommand } from '@aws-sdk/client-ssm'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import type { LoopbackAws } from '../../../local/aws/loopback.ts'
import {
  clients,
  joinMachine,
  machineId,
  refusalOf,
  removeFolders,
  sessionOf,
  startAccount,
} from './fixture.ts'
import { template } from './template.ts'

const SecretId = 'rings/edge'
const ROLE = 'arn:aws:sts::111122223333:assumed-role'
let aws: LoopbackAws
beforeEach(async () => {
  aws = await startAccount()
})
afterEach(() => aws.close())
afterAll(removeFolders)

type Resources = ReturnType<typeof template>['Resources']

/** The same account with one thing of its template bent. */
async function restart(bend: (resources: Resources) => void): Promise<void> {
  await aws.close()
  const bent = template()
  bend(bent.Resources)
  aws = await startAccount({ template: bent })
}

function statements(resources: Resources, policy: string): Record<string, unknown>[] {
  const properties = resources[policy]?.Properties as { PolicyDocument: { Statement: [] } } | undefined
  return properties?.PolicyDocument.Statement ?? []
}

/** Clients with a session of a machine's role. */
function asMachine(id = machineId(1)) {
  return clients(aws, joinMachine(aws, { id }).credentials())
}

/** Clients with the credentials of the rotating function. */
async function asFunction() {
  const { payload } = await aws.invoke(probe(), { do: 'environment' })
  return clients(aws, sessionOf(payload))
}

function probe(): string {
  return aws.resources.functions.find(({ logicalId }) => logicalId === 'Probe')?.name ?? ''
}

test('a machine reads AWSCURRENT, if it names the stage', async () => {
  const { secrets } = asMachine()
  const named = new GetSecretValueCommand({ SecretId, VersionStage: 'AWSCURRENT' })
  expect((await secrets.send(named)).SecretString).toBe('{}')
  const { arn } = aws.resources.secrets[0] ?? { arn: '' }
  expect(await refusalOf(secrets.send(new GetSecretValueCommand({ SecretId })))).toEqual({
    name: 'AccessDeniedException',
    message: `User: ${ROLE}/terminators/${machineId(1)} is not authorized to perform: secretsmanager:GetSecretValue on resource: ${arn} because no identity-based policy allows the secretsmanager:GetSecretValue action`,
  })
})

test.each([{ VersionStage: 'AWSPREVIOUS' }, { VersionStage: 'AWSCURRENT', VersionId: 'a'.repeat(32) }])(
  "%o is denied by the secret's own policy, in those words",
  async (which) => {
    const { secrets } = asMachine()
    const { message } = await refusalOf(secrets.send(new GetSecretValueCommand({ SecretId, ...which })))
    expect(message).toMatch(/with an explicit deny in a resource-based policy$/)
  },
)

test('what no policy allows is denied with its resource', async () => {
  const { secrets, ssm } = asMachine()
  const token = 'a'.repeat(32)
  const put = new PutSecretValueCommand({ SecretId, ClientRequestToken: token, SecretString: 'one' })
  expect((await refusalOf(secrets.send(put))).message).toContain(
    'secretsmanager:PutSecretValue on resource: arn:aws',
  )
  expect((await refusalOf(ssm.send(new ListCommandsCommand({})))).message).toContain(
    'ssm:ListCommands on resource: *',
  )
})

test("the key is used in the caller's name: without kms:Decrypt nothing is read", async () => {
  await restart((resources) => statements(resources, 'FleetPolicy').pop())
  const { secrets } = asMachine()
  expect(
    await refusalOf(secrets.send(new GetSecretValueCommand({ SecretId, VersionStage: 'AWSCURRENT' }))),
  ).toEqual({
    name: 'AccessDeniedException',
    message: 'Access to KMS is not allowed',
  })
})

test.each(['kms:ViaService', 'kms:EncryptionContext:SecretARN'])(
  'a wrong %s takes the key away',
  async (key) => {
    await restart((resources) => {
      const condition = statements(resources, 'FleetPolicy')[1]?.Condition as {
        StringEquals: Record<string, unknown>
      }
      condition.StringEquals[key] = 'something else'
    })
    const { secrets } = asMachine()
    const read = secrets.send(new GetSecretValueCommand({ SecretId, VersionStage: 'AWSCURRENT' }))
    expect((await refusalOf(read)).message).toBe('Access to KMS is not allowed')
  },
)

test("the key's own policy has the last word", async () => {
  await restart((resources) => {
    const properties = resources.Key?.Properties as { KeyPolicy: { Statement: unknown[] } } | undefined
    const Condition = { ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:role/terminators' } }
    properties?.KeyPolicy.Statement.push({
      Effect: 'Deny',
      Principal: '*',
      Action: 'kms:Decrypt',
      Resource: '*',
      Condition,
    })
  })
  const { secrets } = asMachine()
  const read = secrets.send(new GetSecretValueCommand({ SecretId, VersionStage: 'AWSCURRENT' }))
  expect((await refusalOf(read)).message).toBe('Access to KMS is not allowed')
})

test('a put needs kms:GenerateDataKey and kms:Decrypt', async () => {
  await restart((resources) => {
    const [, key] = statements(resources, 'RolePolicy')
    Object.assign(key ?? {}, { Action: ['kms:GenerateDataKey'] })
  })
  const { secrets } = await asFunction()
  const put = { SecretId, ClientRequestToken: 'a'.repeat(32), SecretString: 'one' }
  expect((await refusalOf(secrets.send(new PutSecretValueCommand(put)))).message).toBe(
    'Access to KMS is not allowed',
  )
})

test('SendCommand needs the document and every machine: one without the tag denies them all', async () => {
  joinMachine(aws, { id: machineId(1) })
  joinMachine(aws, { id: machineId(2), tags: { ring: 'other' } })
  const { ssm } = await asFunction()
  const send = (DocumentName: string, InstanceIds: string[]) =>
    ssm.send(new SendCommandCommand({ DocumentName, InstanceIds }))
  await send('apply-edge', [machineId(1)])
  expect((await refusalOf(send('slow', [machineId(1)]))).message).toContain(':document/slow')
  expect((await refusalOf(send('apply-edge', [machineId(1), machineId(2)]))).message).toContain(
    `:instance/${machineId(2)}`,
  )
  expect(aws.history.commands).toHaveLength(1)
  await aws.idle()
})

test("a schedule's role has to let Scheduler in", async () => {
  const bent = template()
  Object.assign(bent.Resources.SchedulerRole?.Properties ?? {}, {
    AssumeRolePolicyDocument: bent.Resources.Role?.Properties.AssumeRolePolicyDocument,
  })
  await expect(startAccount({ template: bent })).rejects.toThrow('scheduler.amazonaws.com may not assume')
})

test('every statement of the template tells how often it decided, so that a useless one shows', async () => {
  const { secrets } = asMachine()
  await secrets.send(new GetSecretValueCommand({ SecretId, VersionStage: 'AWSCURRENT' }))
  await secrets.send(new GetSecretValueCommand({ SecretId, VersionStage: 'AWSCURRENT' }))
  const uses = aws.statements()
  expect(uses.find(({ policy, index }) => policy === 'FleetPolicy' && index === 0)?.used).toBe(2)
  expect(uses.find(({ policy, index }) => policy === 'FleetPolicy' && index === 1)?.used).toBe(2)
  expect(uses.find(({ sid }) => sid === 'Useless')).toEqual({
    policy: 'RolePolicy',
    index: 4,
    sid: 'Useless',
    effect: 'Allow',
    used: 0,
  })
})

test('the history says who asked for what and which statements decided', async () => {
  const { secrets } = asMachine()
  await secrets.send(new GetSecretValueCommand({ SecretId, VersionStage: 'AWSCURRENT' }))
  const call = aws.history.calls.at(-1)
  expect(call).toMatchObject({ service: 'secretsmanager', operation: 'GetSecretValue', kind: 'instance' })
  expect(call?.decisions.map(({ action, statements }) => [action, statements])).toEqual([
    ['secretsmanager:GetSecretValue', ['FleetPolicy#0']],
    ['kms:Decrypt', ['FleetPolicy#1', 'Key#0']],
  ])
})
