import { randomUUID } from 'node:crypto'
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
} from '@aws-sdk/client-secrets-manager'
import { afterEach, expect, test } from 'vitest'
import type { LoopbackAws } from '../../../local/aws/loopback.ts'
import { clients, refusalOf, startAccount } from './fixture.ts'
import { template } from './template.ts'

const SecretId = 'rings/edge'
let aws: LoopbackAws
afterEach(() => aws.close())

async function start(changes: Parameters<typeof template>[0] = {}) {
  aws = await startAccount({ template: template({ rotation: {}, ...changes }) })
  return clients(aws).secrets
}

function rotate(token: string) {
  return clients(aws).secrets.send(new RotateSecretCommand({ SecretId, ClientRequestToken: token }))
}

async function value(VersionStage = 'AWSCURRENT'): Promise<string | undefined> {
  return (await clients(aws).secrets.send(new GetSecretValueCommand({ SecretId, VersionStage }))).SecretString
}

async function stages(id: string): Promise<string[]> {
  const { VersionIdsToStages } = await clients(aws).secrets.send(new DescribeSecretCommand({ SecretId }))
  return VersionIdsToStages?.[id] ?? []
}

function steps(token?: string) {
  const { rotations } = aws.history
  return rotations
    .filter((one) => token === undefined || one.token === token)
    .map(({ steps }) => steps.map(({ step }) => step))
}

test('deploying a schedule that does not rotate at once still runs testSecret, and leaves no version behind', async () => {
  const client = await start()
  expect(steps()).toEqual([['testSecret']])
  const { VersionIdsToStages, RotationEnabled } = await client.send(new DescribeSecretCommand({ SecretId }))
  expect(RotationEnabled).toBe(true)
  expect(Object.values(VersionIdsToStages ?? {})).toEqual([['AWSCURRENT']])
})

test('deploying a schedule that rotates at once runs all four steps', async () => {
  await start({ rotation: { RotateImmediatelyOnUpdate: true } })
  await aws.idle()
  expect(steps()).toEqual([['createSecret', 'setSecret', 'testSecret', 'finishSecret']])
  expect(await value()).toBe('{}+')
})

test('RotateSecret makes AWSPENDING without a value before the first step', async () => {
  const client = await start({ variables: { FAIL_AT: 'createSecret', REFUSALS: '99' } })
  const token = randomUUID()
  await rotate(token)
  expect(await stages(token)).toEqual(['AWSPENDING'])
  const read = client.send(new GetSecretValueCommand({ SecretId, VersionId: token }))
  expect(await refusalOf(read)).toMatchObject({ name: 'ResourceNotFoundException' })
})

test('a finished rotation has AWSCURRENT on the token and AWSPENDING on nothing', async () => {
  await start()
  const token = randomUUID()
  await rotate(token)
  await aws.idle()
  expect(await stages(token)).toEqual(['AWSCURRENT'])
  expect(await value('AWSPREVIOUS')).toBe('{}')
  expect(aws.history.rotations.at(-1)).toMatchObject({ token, outcome: 'succeeded' })
})

test('a failed step has the entire rotation tried again with the same token', async () => {
  await start({ variables: { FAIL_AT: 'setSecret', REFUSALS: '1' } })
  const token = randomUUID()
  await rotate(token)
  await aws.idle()
  expect(steps(token)).toEqual([
    ['createSecret', 'setSecret'],
    ['createSecret', 'setSecret', 'testSecret', 'finishSecret'],
  ])
  expect(await value()).toBe('{}+')
})

test('a rotation that fails for good leaves AWSPENDING, and the next one is refused and takes that up', async () => {
  await start({ variables: { FAIL_AT: 'createSecret', REFUSALS: '99' } })
  const token = randomUUID()
  await rotate(token)
  await aws.idle()
  expect(await stages(token)).toEqual(['AWSPENDING'])
  const before = steps(token).length
  const refusal = await refusalOf(rotate(randomUUID()))
  expect(refusal).toEqual({
    name: 'InvalidRequestException',
    message: "A previous rotation isn't complete. That rotation will be reattempted.",
  })
  await aws.idle()
  expect(steps(token).length).toBeGreaterThan(before)
})

test('AWSPENDING on the same version as AWSCURRENT does not stop a rotation', async () => {
  const client = await start()
  const id = randomUUID()
  const both = { ClientRequestToken: id, VersionStages: ['AWSPENDING', 'AWSCURRENT'] }
  await client.send(new PutSecretValueCommand({ SecretId, SecretString: 'one', ...both }))
  await rotate(randomUUID())
  await aws.idle()
  expect(await value()).toBe('one+')
})

test('the token of a rotation that is done does nothing again', async () => {
  await start()
  const token = randomUUID()
  await rotate(token)
  await aws.idle()
  await rotate(token)
  await aws.idle()
  expect(await value()).toBe('{}+')
})

test("without the function's permission for Secrets Manager nothing rotates", async () => {
  const bare = template({ rotation: {} })
  const { RotationPermission: _, ...Resources } = bare.Resources
  await expect(startAccount({ template: { Resources } })).rejects.toThrow(
    'cannot invoke the specified Lambda function',
  )
  await start()
})

test('a permission for another account does not count', async () => {
  const other = template({ rotation: {} })
  Object.assign(other.Resources.RotationPermission?.Properties ?? {}, { SourceAccount: '999988887777' })
  await expect(startAccount({ template: other })).rejects.toThrow(
    'cannot invoke the specified Lambda function',
  )
  await start()
})
