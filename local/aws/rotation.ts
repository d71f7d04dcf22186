import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, uuid } from './account.ts'
import { AwsError } from './aws-error.ts'
import type { CallBook, Caller } from './caller.ts'
import type { Invocation } from './contract.ts'
import type { Principal } from './credentials.ts'
import type { RotationRecord } from './history.ts'
import type { Secret } from './secret-store.ts'
import { addPlaceholder, detach, holderOf, remove } from './secret-versions.ts'

const STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const
type Step = (typeof STEPS)[number]

const SERVICE: Principal = { kind: 'service', arn: 'secretsmanager.amazonaws.com', name: 'secretsmanager' }

type MutableRotation = RotationRecord & {
  steps: { step: string; error?: string }[]
  outcome: RotationRecord['outcome']
}

/** What the rotator needs around it. */
interface RotatorParts {
  readonly account: Account
  readonly calls: CallBook
  readonly invoke: (functionArn: string, event: unknown) => Promise<Invocation>
  readonly retry: { readonly times: number; readonly delay: number }
  /** Work that {@link LoopbackAws.idle} alone waits for. */
  readonly background: (work: Promise<unknown>) => void
}

/** Drives rotation functions through the four steps, as Secrets Manager does. */
export class Rotator {
  readonly rotations: MutableRotation[] = []
  readonly #parts: RotatorParts
  readonly #busy = new Set<string>()

  constructor(parts: RotatorParts) {
    this.#parts = parts
  }

  /**
   * RotateSecret: makes the placeholder and starts the steps.
   * @throws AwsError `InvalidRequestException` while an earlier rotation holds AWSPENDING elsewhere.
   */
  async request(secret: Secret, token: string, caller?: Caller): Promise<void> {
    const { rotation } = secret
    if (!rotation) {
      throw new AwsError(
        'InvalidRequestException',
        'No Lambda rotation function ARN is associated with this secret.',
      )
    }
    // A caller of RotateSecret needs the function's permission as well (RotateSecret, required permissions).
    await caller?.need('lambda:InvokeFunction', rotation.functionArn)
    await this.#admit(rotation.functionArn)
    const pending = holderOf(secret.versions, 'AWSPENDING')
    const current = holderOf(secret.versions, 'AWSCURRENT')
    if (pending && pending.id !== current?.id) {
      this.#start(secret, pending.id)
      throw new AwsError(
        'InvalidRequestException',
        "A previous rotation isn't complete. That rotation will be reattempted.",
      )
    }
    if (secret.versions.get(token)?.value !== undefined) return
    secret.update((versions) => addPlaceholder(versions, token, this.#parts.account.now()))
    this.#start(secret, token)
  }

  /** What configuring rotation without rotating does: testSecret on a version that lives no longer. */
  async test(secret: Secret): Promise<void> {
    await this.#admit(secret.rotation?.functionArn ?? '')
    const token = uuid(this.#parts.account)
    secret.update((versions) => addPlaceholder(versions, token, this.#parts.account.now()))
    const record = this.#record(secret, token)
    const failed = await this.#step(secret, token, 'testSecret', record)
    record.outcome = failed ? 'failed' : 'succeeded'
    secret.update((versions) => remove(versions, token))
  }

  #start(secret: Secret, token: string): void {
    if (this.#busy.has(secret.arn)) return
    this.#busy.add(secret.arn)
    this.#parts.background(this.#rotate(secret, token).finally(() => this.#busy.delete(secret.arn)))
  }

  /** A failed step fails the whole rotation, which is tried again from its first step. */
  async #rotate(secret: Secret, token: string): Promise<void> {
    const { times, delay } = this.#parts.retry
    for (let attempt = 0; attempt <= times; attempt += 1) {
      if (attempt > 0) await sleep(delay, undefined, { ref: false })
      if (await this.#attempt(secret, token)) return
    }
  }

  async #attempt(secret: Secret, token: string): Promise<boolean> {
    const record = this.#record(secret, token)
    for (const step of STEPS) {
      if (await this.#step(secret, token, step, record)) {
        record.outcome = 'failed'
        return false
      }
    }
    const done = holderOf(secret.versions, 'AWSCURRENT')?.id === token
    record.outcome = done ? 'succeeded' : 'failed'
    if (!done) return false
    secret.rotatedAt = this.#parts.account.now()
    // Only Secrets Manager's own rotations are tidied up after, and only now.
    if (holderOf(secret.versions, 'AWSPENDING')?.id === token) {
      secret.update((versions) => detach(versions, 'AWSPENDING'))
    }
    return true
  }

  #record(secret: Secret, token: string): MutableRotation {
    const at = this.#parts.account.now()
    const record: MutableRotation = { secret: secret.arn, token, at, steps: [], outcome: 'running' }
    this.rotations.push(record)
    return record
  }

  /** Invokes one step synchronously; true if it failed. */
  async #step(
    { arn, rotation }: Secret,
    token: string,
    Step: Step,
    record: MutableRotation,
  ): Promise<boolean> {
    const event = { Step, SecretId: arn, ClientRequestToken: token, RotationToken: uuid(this.#parts.account) }
    const error = await this.#tryStep(rotation?.functionArn ?? '', event)
    record.steps.push({ step: Step, ...(error === undefined ? {} : { error }) })
    return error !== undefined
  }

  async #tryStep(functionArn: string, event: unknown): Promise<string | undefined> {
    try {
      await this.#admit(functionArn)
      const { functionError, payload } = await this.#parts.invoke(functionArn, event)
      return functionError === undefined ? undefined : JSON.stringify(payload)
    } catch (error) {
      return String(error)
    }
  }

  /** The function's resource policy has to let Secrets Manager in, for this account. */
  async #admit(functionArn: string): Promise<void> {
    const { caller } = this.#parts.calls.open('secretsmanager', 'Invoke', SERVICE)
    const context = { 'aws:SourceAccount': this.#parts.account.id }
    if (await caller.may('lambda:InvokeFunction', functionArn, context)) return
    throw new AwsError(
      'AccessDeniedException',
      'Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.',
    )
  }
}
