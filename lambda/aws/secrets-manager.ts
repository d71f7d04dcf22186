import {
  DescribeSecretCommand,
  type DescribeSecretCommandOutput,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { isRefusal, TicketringError } from '../kernel/errors.ts'
import { REVOKING, type Removable } from '../ring/labels.ts'
import type { RingCommits, RingVersions, Rotations, Staging, StoredValue } from '../ring/ports.ts'
import { isNamed, refusal } from './refusal.ts'

/** The ring's secret in AWS Secrets Manager. */
export class RingSecret implements RingVersions, RingCommits, Rotations {
  readonly #client: SecretsManagerClient
  readonly #secret: string

  /** @param secret ARN of the secret. */
  constructor(client: SecretsManagerClient, secret: string) {
    this.#client = client
    this.#secret = secret
  }

  async labels() {
    const answer = await this.#describe()
    const stages = Object.entries(answer.VersionIdsToStages ?? {})
    const holder = (label: string) => stages.find(([, labels]) => labels.includes(label))?.[0]
    const [current, previous, pending] = [holder('AWSCURRENT'), holder('AWSPREVIOUS'), holder('AWSPENDING')]
    const revoking = holder(REVOKING)
    if (current === undefined) throw withoutCurrent()
    return {
      current,
      ...(previous === undefined ? {} : { previous }),
      ...(pending === undefined ? {} : { pending }),
      ...(revoking === undefined ? {} : { revoking }),
      rotationEnabled: answer.RotationEnabled === true,
    }
  }

  async read(which: 'AWSCURRENT' | { readonly version: string }): Promise<StoredValue | undefined> {
    // The stage is always named: a policy's condition on it matches only what the caller says.
    const selector = which === 'AWSCURRENT' ? { VersionStage: which } : { VersionId: which.version }
    try {
      const answer = await this.#client.send(
        new GetSecretValueCommand({ SecretId: this.#secret, ...selector }),
      )
      const { VersionId, SecretString } = answer
      return VersionId === undefined || SecretString === undefined
        ? undefined
        : { version: VersionId, value: SecretString }
    } catch (error) {
      if (isNamed(error, 'ResourceNotFoundException')) return undefined
      throw refusal(error, `to read the secret ${this.#secret}`)
    }
  }

  async stage(
    version: string,
    value: string,
    { label = 'AWSPENDING', rotationToken }: Staging = {},
  ): Promise<void> {
    const command = new PutSecretValueCommand({
      SecretId: this.#secret,
      ClientRequestToken: version,
      SecretString: value,
      VersionStages: [label],
      ...(rotationToken === undefined ? {} : { RotationToken: rotationToken }),
    })
    try {
      await this.#client.send(command)
    } catch (error) {
      const codes = { ResourceExistsException: 'version-conflict' } as const
      throw refusal(error, `to stage version ${version}`, codes)
    }
  }

  async promote(version: string, parent: string): Promise<void> {
    try {
      await this.#move('AWSCURRENT', { MoveToVersionId: version, RemoveFromVersionId: parent })
    } catch (error) {
      const codes = {
        InvalidParameterException: 'label-moved',
        InvalidRequestException: 'label-moved',
      } as const
      throw refusal(error, `AWSCURRENT to move from ${parent} to ${version}`, codes)
    }
  }

  async unlabel(label: Removable, version: string): Promise<boolean> {
    try {
      await this.#move(label, { RemoveFromVersionId: version })
      return true
    } catch (error) {
      const refused = refusal(error, `${label} to be taken off ${version}`, LABEL_REFUSED)
      // The same words say that the label is elsewhere, and that this secret takes no change.
      if (isRefusal(refused, 'label-refused') && !(await this.#holds(version, label))) return false
      throw refused
    }
  }

  async start(token: string): Promise<void> {
    try {
      await this.#client.send(new RotateSecretCommand({ SecretId: this.#secret, ClientRequestToken: token }))
    } catch (error) {
      throw refusal(error, 'a rotation to start', { InvalidRequestException: 'rotation-in-progress' })
    }
  }

  async #describe(): Promise<DescribeSecretCommandOutput> {
    try {
      return await this.#client.send(new DescribeSecretCommand({ SecretId: this.#secret }))
    } catch (error) {
      throw refusal(error, `the secret ${this.#secret}`, { ResourceNotFoundException: 'secret-missing' })
    }
  }

  async #holds(version: string, label: string): Promise<boolean> {
    const { VersionIdsToStages } = await this.#describe()
    return VersionIdsToStages?.[version]?.includes(label) ?? false
  }

  async #move(label: string, move: { MoveToVersionId?: string; RemoveFromVersionId: string }): Promise<void> {
    await this.#client.send(
      new UpdateSecretVersionStageCommand({ SecretId: this.#secret, VersionStage: label, ...move }),
    )
  }
}

const LABEL_REFUSED = {
  InvalidParameterException: 'label-refused',
  InvalidRequestException: 'label-refused',
  ResourceNotFoundException: 'label-refused',
} as const

function withoutCurrent(): TicketringError {
  return new TicketringError('secret-without-current', {
    wanted: 'a version that AWSCURRENT names',
    came: 'none',
    fix: 'Move AWSCURRENT to the version that should hold: aws secretsmanager update-secret-version-stage',
  })
}
