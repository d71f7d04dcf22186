import type { Account } from './account.ts'
import { AwsError } from './aws-error.ts'
import type { FaultPlan } from './faults.ts'
import type { Versions } from './secret-versions.ts'

/** How a secret is rotated. */
interface RotationSetting {
  readonly functionArn: string
  /** As configured: a rate or cron expression. */
  readonly expression: string | undefined
}

/** One secret. Each write appends a state, so that a lagging reader can be shown an older one. */
export class Secret {
  readonly name: string
  readonly arn: string
  readonly keyArn: string | undefined
  readonly tags: Readonly<Record<string, string>>
  readonly createdAt: number
  rotation: RotationSetting | undefined
  rotatedAt: number | undefined
  readonly #account: Account
  readonly #faults: FaultPlan
  #states: { readonly at: number; readonly versions: Versions }[] = [{ at: 0, versions: new Map() }]

  constructor(
    declared: { name: string; arn: string; keyArn?: string | undefined; tags: Record<string, string> },
    account: Account,
    faults: FaultPlan,
  ) {
    this.name = declared.name
    this.arn = declared.arn
    this.keyArn = declared.keyArn
    this.tags = declared.tags
    this.#account = account
    this.#faults = faults
    this.createdAt = account.now()
  }

  /** What Secrets Manager itself knows. Writes are checked against this. */
  get versions(): Versions {
    return this.#states.at(-1)?.versions ?? new Map()
  }

  /** What a reader sees: nothing younger than the lag. */
  get readable(): Versions {
    const horizon = this.#account.now() - this.#faults.secretsLag
    return this.#states.findLast(({ at }) => at <= horizon)?.versions ?? this.versions
  }

  /** A first value that has been there for as long as any reader looks back. */
  seed(versions: Versions): void {
    this.#states = [{ at: 0, versions }]
  }

  get changedAt(): number {
    return this.#states.at(-1)?.at || this.createdAt
  }

  update(change: (versions: Versions) => Versions): void {
    const versions = change(this.versions)
    if (versions !== this.versions)
      this.#states = [...this.#states.slice(-20), { at: this.#account.now(), versions }]
  }
}

export class SecretStore {
  readonly secrets: Secret[] = []

  /** A secret by name, whole ARN, or ARN without its last six letters. @throws AwsError `ResourceNotFoundException`. */
  find(id: string): Secret {
    const secret = this.secrets.find(({ name, arn }) => id === name || id === arn || id === arn.slice(0, -7))
    if (secret) return secret
    throw new AwsError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.")
  }
}
