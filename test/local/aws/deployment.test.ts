import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { SendCommandCommand } from '@aws-sdk/client-ssm'
import { afterAll, afterEach, expect, test } from 'vitest'
import { inCreationOrder } from '../../../local/aws/creation-order.ts'
import { type LoopbackAws, type LoopbackOptions, RolledBack } from '../../../local/aws/loopback.ts'
import { clients, joinMachine, machineId, refusalOf, removeFolders, startAccount } from './fixture.ts'
import { template } from './template.ts'

let aws: LoopbackAws | undefined
afterEach(() => aws?.close())
afterAll(removeFolders)

type Template = ReturnType<typeof template>

/** The small ring's template, its secret first of all that can fail, with changes to its resources. */
function bent(change: (resources: Template['Resources']) => void, deletion = 'Delete'): Template {
  const { Resources } = template()
  Object.assign(Resources.Secret ?? {}, { DeletionPolicy: deletion })
  change(Resources)
  return { Resources }
}

const unchanged = () => {}
const rename = (Resources: Template['Resources'], id: string, Name: string) =>
  Object.assign(Resources[id]?.Properties ?? {}, { Name })

async function failed(options: Partial<LoopbackOptions>): Promise<RolledBack> {
  const error = await startAccount(options).catch((reason: unknown) => reason)
  if (!(error instanceof RolledBack)) throw new Error('the deploy was not rolled back', { cause: error })
  return error
}

test('a role that is named but not there fails the deploy', async () => {
  const { message, retained } = await failed({ roles: [] })
  expect(message).toBe('FleetPolicy: The role with name terminators cannot be found.')
  expect(retained).toEqual([])
})

test('what is retained even when its creation is rolled back blocks the next deploy by its name', async () => {
  const left = await failed({ template: bent(unchanged, 'Retain'), roles: [] })
  expect(left.retained).toMatchObject([{ type: 'AWS::SecretsManager::Secret', name: 'rings/edge' }])
  const again = await failed({ template: bent(unchanged, 'Retain'), retained: left.retained })
  expect(again.message).toBe('Secret: AWS::SecretsManager::Secret with the name rings/edge already exists')
  const clean = await failed({ template: bent(unchanged, 'RetainExceptOnCreate'), roles: [] })
  expect(clean.retained).toEqual([])
  aws = await startAccount({ retained: clean.retained })
})

test('a stack that is deleted leaves what it retains, which the next one can use', async () => {
  const kept = bent(
    (Resources) => Object.assign(Resources.Key ?? {}, { DeletionPolicy: 'Retain' }),
    'RetainExceptOnCreate',
  )
  aws = await startAccount({ template: kept })
  const retained = aws.retained()
  const [secret] = aws.secretVersions('rings/edge')
  await aws.close()
  expect(retained.map(({ logicalId }) => logicalId)).toEqual(['Key', 'Secret'])
  const [keyArn, secretArn] = retained.map(
    ({ resource: { identity } }) => identity.attributes.Arn ?? identity.ref,
  )
  const text = JSON.stringify(template().Resources)
    .replaceAll('{"Ref":"Secret"}', JSON.stringify(secretArn))
    .replaceAll('{"Fn::GetAtt":["Key","Arn"]}', JSON.stringify(keyArn))
  const { Key: _, Secret: __, ...Resources } = JSON.parse(text)
  aws = await startAccount({ template: { Resources }, retained })
  const read = await clients(aws).secrets.send(new GetSecretValueCommand({ SecretId: 'rings/edge' }))
  expect(read).toMatchObject({ ARN: secretArn, VersionId: secret?.id })
})

test('resources are made after those that they refer to or depend on, and circles are refused', () => {
  const ref = (Ref: string) => ({ DependsOn: [], Properties: { Value: [{ Ref }] } })
  const sub = (text: string) => ({ DependsOn: [], Properties: { Value: { 'Fn::Sub': text } } })
  const none = { DependsOn: [], Properties: {} }
  const order = inCreationOrder({
    A: { DependsOn: ['B'], Properties: { X: { 'Fn::GetAtt': ['C', 'Arn'] }, Y: { Ref: 'AWS::Region' } } },
    B: ref('D'),
    C: sub('$'.concat('{E.Arn}/$', '{!F}')),
    D: none,
    E: none,
    F: ref('A'),
  })
  expect(order).toEqual(['D', 'B', 'E', 'C', 'A', 'F'])
  expect(() => inCreationOrder({ A: ref('B'), B: ref('A') })).toThrow('Circular dependency')
})

test('an update changes one resource after the other, and takes away last what is gone', async () => {
  aws = await startAccount()
  const account = aws
  joinMachine(account, { id: machineId(1), tags: { ring: 'edge', associated: 'yes' } })
  await account.idle()
  const send = (DocumentName: string) =>
    clients(account).ssm.send(new SendCommandCommand({ DocumentName, InstanceIds: [machineId(1)] }))
  const next = bent((Resources) => {
    rename(Resources, 'Document', 'apply-edge-2')
    Object.assign(Resources.Probe?.Properties ?? {}, { Environment: { Variables: { GREETING: 'hi' } } })
  })
  const steps: string[] = []
  const before = account.history.associations.length
  await account.update(next, async (logicalId) => {
    steps.push(logicalId)
    // Half way, either document is there.
    await Promise.all([send('apply-edge'), send('apply-edge-2')].slice(0, steps.includes('Document') ? 2 : 1))
  })
  await account.idle()
  expect(steps.toSorted()).toEqual(['Association', 'Document', 'Probe', 'RolePolicy'])
  expect(steps.indexOf('Document')).toBeLessThan(steps.indexOf('Association'))
  expect((await refusalOf(send('apply-edge'))).name).toBe('InvalidDocument')
  // An association runs at once when it is changed.
  expect(account.history.associations.slice(before)).toMatchObject([
    { document: 'apply-edge-2', status: 'Success' },
  ])
  const probe = account.resources.functions.find(({ logicalId }) => logicalId === 'Probe')
  const { payload } = await account.invoke(probe?.name ?? '', { do: 'environment' })
  expect(payload).toMatchObject({ GREETING: 'hi' })
})

test("a secret's value is written again only where the template's changes", async () => {
  aws = await startAccount()
  const [first] = aws.secretVersions('rings/edge')
  await aws.update(bent((Resources) => rename(Resources, 'Document', 'apply-edge-2')))
  expect(aws.secretVersions('rings/edge')).toEqual([first])
  await aws.update(
    bent((Resources) => Object.assign(Resources.Secret?.Properties ?? {}, { SecretString: '{"x":1}' })),
  )
  expect(aws.secretVersions('rings/edge')).toMatchObject([
    { id: first?.id, labels: ['AWSPREVIOUS'] },
    { value: '{"x":1}', labels: ['AWSCURRENT'] },
  ])
})

test('a value that Secrets Manager made up stays when something else of the secret changes', async () => {
  const tagged = (Value: string) =>
    bent((Resources) => {
      const { SecretString: _, ...properties } = Resources.Secret?.Properties ?? {}
      const Tags = [{ Key: 'team', Value }]
      Object.assign(Resources.Secret ?? {}, { Properties: { ...properties, Tags } })
    })
  aws = await startAccount({ template: tagged('a') })
  const versions = aws.secretVersions('rings/edge')
  await aws.update(tagged('b'))
  expect(aws.secretVersions('rings/edge')).toEqual(versions)
})

test('an update that fails is taken back', async () => {
  aws = await startAccount()
  const account = aws
  const next = bent((Resources) => {
    Object.assign(Resources.Probe?.Properties ?? {}, { Environment: { Variables: { GREETING: 'hi' } } })
    Object.assign(Resources.FleetPolicy?.Properties ?? {}, { Roles: ['others'] })
    Object.assign(Resources.FleetPolicy ?? {}, { DependsOn: 'Probe' })
  })
  await expect(account.update(next)).rejects.toThrow('The role with name others cannot be found.')
  const probe = account.resources.functions.find(({ logicalId }) => logicalId === 'Probe')
  const { payload } = await account.invoke(probe?.name ?? '', { do: 'environment' })
  expect(payload).toMatchObject({ GREETING: 'hello' })
})

test('an association that State Manager would run oftener than every half hour is none', async () => {
  const often = bent((Resources) =>
    Object.assign(Resources.Association?.Properties ?? {}, { ScheduleExpression: 'rate(29 minutes)' }),
  )
  await expect(startAccount({ template: often })).rejects.toThrow("State Manager's least rate is 30 minutes")
})

test('a stack that is deleted takes along what it does not retain, and what is left stays as it is', async () => {
  const kept = bent(
    (Resources) => Object.assign(Resources.Key ?? {}, { DeletionPolicy: 'Retain' }),
    'RetainExceptOnCreate',
  )
  aws = await startAccount({ template: kept })
  const [before] = aws.secretVersions('rings/edge')
  const retained = await aws.delete()
  expect(retained.map(({ logicalId }) => logicalId)).toEqual(['Key', 'Secret'])
  expect(aws.resources.functions).toEqual([])
  expect(aws.schedules).toEqual([])
  expect(aws.secretVersions('rings/edge')).toEqual([before])
})
