import { randomUUID } from 'node:crypto'
import { GetSecretValueCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LoopbackAws } from '../../../local/aws/loopback.ts'
import { clients, refusalOf, startAccount } from './fixture.ts'
import { labelSemantics } from './label-semantics.ts'

describe('the loopback Secrets Manager', () => {
  let aws: LoopbackAws
  beforeAll(async () => {
    aws = await startAccount()
  })
  beforeEach(async () => {
    await aws.close()
    aws = await startAccount()
  })
  afterAll(() => aws.close())

  const { put, move, get, labels, holder } = labelSemantics(() => ({
    client: clients(aws).secrets,
    secret: 'rings/edge',
  }))

  test('a repeated put of other bytes is refused and the first bytes stay', async () => {
    const id = randomUUID()
    await put(id, 'one', ['AWSPENDING'])
    expect(await refusalOf(put(id, 'two', ['AWSPENDING']))).toMatchObject({ name: 'ResourceExistsException' })
    expect((await get({ VersionId: id })).SecretString).toBe('one')
  })

  test('a stage that no version holds is named in the refusal', async () => {
    expect(await refusalOf(get({ VersionStage: 'AWSPENDING' }))).toEqual({
      name: 'ResourceNotFoundException',
      message: "Secrets Manager can't find the specified secret value for staging label: AWSPENDING",
    })
  })

  test('of two movers from the same parent, one wins and the other is told who holds the label', async () => {
    const [parent, first, second] = [await holder(), randomUUID(), randomUUID()]
    await put(first, 'one', ['AWSPENDING'])
    await put(second, 'two', ['AWSPENDING'])
    const moves = [move('AWSCURRENT', first, parent), move('AWSCURRENT', second, parent)]
    const outcomes = await Promise.allSettled(moves)
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    const winner = await holder()
    const loser = winner === first ? second : first
    const refusal = await refusalOf(move('AWSCURRENT', loser, parent))
    expect(refusal.name).toBe('InvalidParameterException')
    expect(refusal.message).toContain(`currently attached to version ${winner}`)
  })

  test('a label attached elsewhere does not move without naming its holder', async () => {
    const id = randomUUID()
    await put(id, 'one', ['AWSPENDING'])
    expect(await refusalOf(move('AWSCURRENT', id))).toMatchObject({ name: 'InvalidParameterException' })
  })

  test('AWSCURRENT can be moved, never removed', async () => {
    const refusal = await refusalOf(move('AWSCURRENT', undefined, await holder()))
    expect(refusal.name).toBe('InvalidParameterException')
    expect(refusal.message).toContain("can't be completely removed")
  })

  test('a label that no version holds cannot be removed', async () => {
    const refusal = await refusalOf(move('AWSPREVIOUS', undefined, await holder()))
    expect(refusal.name).toBe('InvalidParameterException')
  })

  test('moving AWSCURRENT leaves AWSPENDING where it is', async () => {
    const [before, id] = [await holder(), randomUUID()]
    await put(id, 'one', ['AWSPENDING'])
    await move('AWSCURRENT', id, before)
    expect(await labels(id)).toContain('AWSPENDING')
  })

  test('an id and a stage that name different versions are refused', async () => {
    const id = randomUUID()
    await put(id, 'one', ['AWSPENDING'])
    const refusal = await refusalOf(get({ VersionId: id, VersionStage: 'AWSCURRENT' }))
    expect(refusal.name).toBe('InvalidRequestException')
  })

  test('the secret answers to its name, its ARN, and its ARN without the random end', async () => {
    const { secrets } = clients(aws)
    const { arn } = aws.resources.secrets[0] ?? { arn: '' }
    for (const SecretId of ['rings/edge', arn, arn.slice(0, -7)]) {
      expect((await secrets.send(new GetSecretValueCommand({ SecretId }))).ARN).toBe(arn)
    }
    expect(await refusalOf(secrets.send(new GetSecretValueCommand({ SecretId: 'rings/else' })))).toEqual({
      name: 'ResourceNotFoundException',
      message: "Secrets Manager can't find the specified secret.",
    })
  })

  test('a token shorter than 32 characters or a value above 65,536 bytes is refused', async () => {
    expect(await refusalOf(put('short', 'one'))).toMatchObject({ name: 'ValidationException' })
    expect(await refusalOf(put(randomUUID(), 'x'.repeat(65_537)))).toMatchObject({
      name: 'InvalidParameterException',
    })
    await put(randomUUID(), 'x'.repeat(65_536))
  })

  test('a member that is not modelled is refused, not ignored', async () => {
    const { secrets } = clients(aws)
    const bytes = { SecretString: 'one', SecretBinary: Buffer.from('two') }
    const command = { SecretId: 'rings/edge', ClientRequestToken: randomUUID(), ...bytes }
    const refusal = await refusalOf(secrets.send(new PutSecretValueCommand(command)))
    expect(refusal.message).toContain('SecretBinary')
  })

  test('the 101st version of a day is refused', async () => {
    for (let count = 1; count < 100; count += 1) await put(randomUUID(), String(count))
    expect(await refusalOf(put(randomUUID(), 'more'))).toMatchObject({ name: 'LimitExceededException' })
  })

  test('a lagging reader sees what was, a writer is judged by what is', async () => {
    const [parent, id] = [await holder(), randomUUID()]
    aws.faults.secretsLag = 600_000
    await put(id, 'one', ['AWSPENDING'])
    expect(await refusalOf(get({ VersionId: id }))).toMatchObject({ name: 'ResourceNotFoundException' })
    await move('AWSCURRENT', id, parent)
    expect(await holder()).toBe(parent)
    aws.faults.secretsLag = 1
    await expect.poll(holder).toBe(id)
  })
})
