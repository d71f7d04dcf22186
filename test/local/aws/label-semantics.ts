import { randomUUID } from 'node:crypto'
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  type GetSecretValueCommandInput,
  PutSecretValueCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { expect, test } from 'vitest'
import { refusalOf } from './fixture.ts'

/** A secret with one version, `{}`, that is AWSCURRENT. */
export interface Target {
  readonly client: SecretsManagerClient
  readonly secret: string
}

/** The semantics of labels and versions, claim by claim, against whatever speaks Secrets Manager. */
export function labelSemantics(target: () => Target) {
  const put = (id: string, value: string, labels?: string[]) => {
    const { client, secret } = target()
    const stages = labels === undefined ? {} : { VersionStages: labels }
    return client.send(
      new PutSecretValueCommand({ SecretId: secret, ClientRequestToken: id, SecretString: value, ...stages }),
    )
  }
  const move = (label: string, to?: string, from?: string) => {
    const { client, secret } = target()
    const ends = { ...(to ? { MoveToVersionId: to } : {}), ...(from ? { RemoveFromVersionId: from } : {}) }
    return client.send(
      new UpdateSecretVersionStageCommand({ SecretId: secret, VersionStage: label, ...ends }),
    )
  }
  const get = (which: Partial<GetSecretValueCommandInput> = {}) => {
    const { client, secret } = target()
    return client.send(new GetSecretValueCommand({ SecretId: secret, ...which }))
  }
  const labels = async (id: string) => {
    const { client, secret } = target()
    const { VersionIdsToStages } = await client.send(new DescribeSecretCommand({ SecretId: secret }))
    return (VersionIdsToStages?.[id] ?? []).toSorted()
  }
  const holder = async () => (await get()).VersionId ?? ''

  test('a put without stages moves AWSCURRENT at once and AWSPREVIOUS follows', async () => {
    const [before, id] = [await holder(), randomUUID()]
    await put(id, 'one')
    expect(await labels(id)).toEqual(['AWSCURRENT'])
    expect(await labels(before)).toEqual(['AWSPREVIOUS'])
  })

  test('a put with a stage takes that label from whichever version has it', async () => {
    const [first, second] = [randomUUID(), randomUUID()]
    await put(first, 'one', ['AWSPENDING'])
    await put(second, 'two', ['AWSPENDING'])
    expect(await labels(first)).toEqual([])
    expect(await labels(second)).toEqual(['AWSPENDING'])
  })

  test('a repeated put of the same bytes changes nothing', async () => {
    const id = randomUUID()
    await put(id, 'one', ['AWSPENDING'])
    await put(id, 'one', ['AWSPENDING'])
    expect((await get({ VersionId: id })).SecretString).toBe('one')
  })

  test('a version without labels is kept and can be read by its id', async () => {
    const [first, second] = [randomUUID(), randomUUID()]
    await put(first, 'one', ['AWSPENDING'])
    await put(second, 'two', ['AWSPENDING'])
    expect((await get({ VersionId: first })).SecretString).toBe('one')
  })

  test('moving AWSCURRENT from its holder moves AWSPREVIOUS to that holder', async () => {
    const [before, id] = [await holder(), randomUUID()]
    await put(id, 'one', ['AWSPENDING'])
    await move('AWSCURRENT', id, before)
    expect(await labels(id)).toEqual(['AWSCURRENT', 'AWSPENDING'])
    expect(await labels(before)).toEqual(['AWSPREVIOUS'])
  })

  test('AWSPREVIOUS can be taken off', async () => {
    const before = await holder()
    await put(randomUUID(), 'one')
    await move('AWSPREVIOUS', undefined, before)
    expect(await refusalOf(get({ VersionStage: 'AWSPREVIOUS' }))).toMatchObject({
      name: 'ResourceNotFoundException',
    })
  })

  test('an unknown version is not found, by its id', async () => {
    const id = randomUUID()
    expect(await refusalOf(get({ VersionId: id }))).toEqual({
      name: 'ResourceNotFoundException',
      message: `Secrets Manager can't find the specified secret value for VersionId: ${id}`,
    })
  })

  return { put, move, get, labels, holder }
}
