import { z } from 'zod'
import type { Account } from './account.ts'
import type { Context } from './authorisation.ts'
import { AwsError } from './aws-error.ts'
import type { Caller, Operation } from './caller.ts'
import { paginate } from './parameter-store.ts'
import { parseInput } from './parse-input.ts'
import type { Rotator } from './rotation.ts'
import { useKey } from './secret-key.ts'
import type { Secret, SecretStore } from './secret-store.ts'
import { findVersion, moveLabel, putVersion, type Versions } from './secret-versions.ts'

const SECRET_ID = z.string().min(1).max(2048)
const TOKEN = z.string().min(32).max(64)
const LABEL = z.string().min(1).max(256)
const MAX_VALUE = 65_536

/** Secrets Manager's operations, as its API reference describes them. */
export class SecretsManager {
  readonly #account: Account
  readonly #store: SecretStore
  readonly #rotator: Rotator
  readonly operations: Readonly<Record<string, Operation>> = {
    DescribeSecret: (input, caller) => this.#describe(input, caller),
    ListSecretVersionIds: (input, caller) => this.#listVersions(input, caller),
    GetSecretValue: (input, caller) => this.#get(input, caller),
    PutSecretValue: (input, caller) => this.#put(input, caller),
    UpdateSecretVersionStage: (input, caller) => this.#move(input, caller),
    RotateSecret: (input, caller) => this.#rotate(input, caller),
  }

  constructor(account: Account, store: SecretStore, rotator: Rotator) {
    this.#account = account
    this.#store = store
    this.#rotator = rotator
  }

  /** CloudFormation's CreateSecret with a first value. */
  async create(secret: Secret, value: string, token: string, caller: Caller): Promise<void> {
    await useKey(secret, token, caller, this.#account, ['kms:GenerateDataKey', 'kms:Decrypt'])
    const now = this.#account.now()
    secret.seed(putVersion(secret.versions, { id: token, value, labels: [], now }))
    this.#store.secrets.push(secret)
  }

  async #describe(input: unknown, caller: Caller) {
    const { SecretId } = parseInput({ SecretId: SECRET_ID }, input)
    const secret = await this.#reach(SecretId, caller, 'DescribeSecret')
    return {
      ARN: secret.arn,
      Name: secret.name,
      ...(secret.keyArn === undefined ? {} : { KmsKeyId: secret.keyArn }),
      ...this.#describeRotation(secret),
      CreatedDate: secret.createdAt / 1000,
      LastChangedDate: secret.changedAt / 1000,
      Tags: Object.entries(secret.tags).map(([Key, Value]) => ({ Key, Value })),
      VersionIdsToStages: labelled(secret.readable),
    }
  }

  #describeRotation({ rotation, rotatedAt }: Secret) {
    if (!rotation) return {}
    const { expression } = rotation
    return {
      RotationEnabled: true,
      RotationLambdaARN: rotation.functionArn,
      RotationRules: expression === undefined ? {} : { ScheduleExpression: expression },
      ...(rotatedAt === undefined ? {} : { LastRotatedDate: rotatedAt / 1000 }),
    }
  }

  async #listVersions(input: unknown, caller: Caller) {
    const { SecretId, IncludeDeprecated, MaxResults, NextToken } = parseInput(
      {
        SecretId: SECRET_ID,
        IncludeDeprecated: z.boolean().default(false),
        MaxResults: z.number().int().min(1).max(100).default(100),
        NextToken: z.string().min(1).max(4096).optional(),
      },
      input,
    )
    const secret = await this.#reach(SecretId, caller, 'ListSecretVersionIds')
    const listed = [...secret.readable.values()].filter(({ labels }) => IncludeDeprecated || labels.size > 0)
    const { page, next } = paginate(listed, MaxResults, NextToken, 'InvalidNextTokenException')
    const Versions = page.map(({ id, labels, createdAt }) => ({
      VersionId: id,
      VersionStages: [...labels],
      CreatedDate: createdAt / 1000,
      KmsKeyIds: [secret.keyArn ?? 'DefaultEncryptionKey'],
    }))
    return { ARN: secret.arn, Name: secret.name, Versions, ...next }
  }

  async #get(input: unknown, caller: Caller) {
    const { SecretId, VersionId, VersionStage } = parseInput(
      { SecretId: SECRET_ID, VersionId: TOKEN.optional(), VersionStage: LABEL.optional() },
      input,
    )
    // Keys that the caller does not send do not exist: a condition on VersionStage needs it spelt out.
    const secret = await this.#reach(SecretId, caller, 'GetSecretValue', {
      ...(VersionId === undefined ? {} : { 'secretsmanager:VersionId': VersionId }),
      ...(VersionStage === undefined ? {} : { 'secretsmanager:VersionStage': VersionStage }),
    })
    const version = findVersion(secret.readable, { id: VersionId, label: VersionStage })
    await useKey(secret, version.id, caller, this.#account, ['kms:Decrypt'])
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: version.id,
      SecretString: version.value,
      VersionStages: [...version.labels],
      CreatedDate: version.createdAt / 1000,
    }
  }

  async #put(input: unknown, caller: Caller) {
    const { SecretId, ClientRequestToken, SecretString, VersionStages } = parseInput(
      {
        SecretId: SECRET_ID,
        ClientRequestToken: TOKEN,
        SecretString: z.string().min(1),
        VersionStages: z.array(LABEL).min(1).max(20).default(['AWSCURRENT']),
        RotationToken: z.string().min(36).max(256).optional(),
      },
      input,
    )
    if (Buffer.byteLength(SecretString) > MAX_VALUE) {
      throw new AwsError('InvalidParameterException', `The secret value is larger than ${MAX_VALUE} bytes.`)
    }
    const secret = await this.#reach(SecretId, caller, 'PutSecretValue')
    await useKey(secret, ClientRequestToken, caller, this.#account, ['kms:GenerateDataKey', 'kms:Decrypt'])
    const now = this.#account.now()
    const version = { id: ClientRequestToken, value: SecretString, labels: VersionStages, now }
    secret.update((versions) => putVersion(versions, version))
    const stored = secret.versions.get(ClientRequestToken)
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: ClientRequestToken,
      VersionStages: [...(stored?.labels ?? [])],
    }
  }

  async #move(input: unknown, caller: Caller) {
    const { SecretId, VersionStage, RemoveFromVersionId, MoveToVersionId } = parseInput(
      {
        SecretId: SECRET_ID,
        VersionStage: LABEL,
        RemoveFromVersionId: TOKEN.optional(),
        MoveToVersionId: TOKEN.optional(),
      },
      input,
    )
    const context = { 'secretsmanager:VersionStage': VersionStage }
    const secret = await this.#reach(SecretId, caller, 'UpdateSecretVersionStage', context)
    secret.update((versions) =>
      moveLabel(versions, VersionStage, { from: RemoveFromVersionId, to: MoveToVersionId }),
    )
    return { ARN: secret.arn, Name: secret.name }
  }

  async #rotate(input: unknown, caller: Caller) {
    const { SecretId, ClientRequestToken, RotateImmediately } = parseInput(
      { SecretId: SECRET_ID, ClientRequestToken: TOKEN, RotateImmediately: z.boolean().default(true) },
      input,
    )
    if (!RotateImmediately) {
      throw new AwsError('InvalidParameterException', 'RotateImmediately=false is not modelled here.')
    }
    const secret = await this.#reach(SecretId, caller, 'RotateSecret')
    await this.#rotator.request(secret, ClientRequestToken, caller)
    return { ARN: secret.arn, Name: secret.name, VersionId: ClientRequestToken }
  }

  async #reach(id: string, caller: Caller, operation: string, context: Context = {}): Promise<Secret> {
    const secret = this.#store.find(id)
    const tags = Object.entries(secret.tags).map(([key, value]) => [`aws:ResourceTag/${key}`, value] as const)
    const all = { ...Object.fromEntries(tags), 'secretsmanager:SecretId': id, ...context }
    await caller.need(`secretsmanager:${operation}`, secret.arn, all)
    return secret
  }
}

function labelled(versions: Versions): Record<string, string[]> {
  const some = [...versions.values()].filter(({ labels }) => labels.size > 0)
  return Object.fromEntries(some.map(({ id, labels }) => [id, [...labels]]))
}
