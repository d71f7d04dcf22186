import { isDeepStrictEqual } from 'node:util'
import { arn, uuid } from './account.ts'
import { LoopbackError } from './aws-error.ts'
import { Clocks } from './clocks.ts'
import type { CloudFormation, Output } from './cloud-formation.ts'
import type { Retained } from './contract.ts'
import { findRoles, makeSecret, mayAssume, refuseTwin } from './creation.ts'
import type { Principal } from './credentials.ts'
import type { ParameterStore } from './parameter-store.ts'
import type { PolicyBook } from './policies.ts'
import { parseRate } from './rate-expression.ts'
import type { Rotator } from './rotation.ts'
import type { Ticker } from './scheduler.ts'
import { type ScheduleParts, startSchedule } from './schedules.ts'
import type { SecretStore } from './secret-store.ts'
import type { SecretsManager } from './secrets-manager.ts'
import type { DeclaredRotation, Stack } from './stack.ts'
import { readPoliciesOf } from './stack-policies.ts'
import type { Association, StateManager } from './state-manager.ts'
import type { SystemsManager } from './systems-manager.ts'
import type { TemplateResource } from './template.ts'

export interface DeploymentParts extends ScheduleParts {
  readonly operator: Principal
  readonly policies: PolicyBook
  readonly cloudFormation: CloudFormation
  readonly secrets: SecretStore
  readonly secretsManager: SecretsManager
  readonly rotator: Rotator
  readonly parameters: ParameterStore
  readonly stateManager: StateManager
  readonly systemsManager: SystemsManager
  readonly background: (work: Promise<unknown>) => void
  readonly readStack: (resources: readonly TemplateResource[]) => Stack
  /** Names of the roles that exist outside the stack. */
  readonly roles: readonly string[]
  /** What earlier stacks left in the account. */
  readonly retained: readonly Retained[]
}

/** A template, worked out. */
export interface Declared {
  readonly resources: readonly TemplateResource[]
  readonly outputs: readonly Output[]
  readonly stack: Stack
}

/** CloudFormation gave a deploy up and took back what it had made. */
export class RolledBack extends LoopbackError {
  /** What stays in the account all the same. */
  readonly retained: readonly Retained[]

  constructor(message: string, retained: readonly Retained[]) {
    super(message)
    this.retained = retained
  }
}

/** The stack: what CloudFormation has made of a template, one resource after the other, as the operator. */
export class Deployment {
  readonly #parts: DeploymentParts
  readonly #made = new Map<string, TemplateResource>()
  readonly #clocks: Clocks

  constructor(parts: DeploymentParts) {
    this.#parts = parts
    this.#clocks = new Clocks(parts)
    for (const { resource, secret } of parts.retained) {
      readPoliciesOf(resource, parts.policies, parts.account, [])
      if (secret) parts.secrets.secrets.push(secret)
    }
  }

  get made(): ReadonlyMap<string, TemplateResource> {
    return this.#made
  }

  /** Every clock of the account; they run unless told to start paused. */
  get schedules(): Ticker[] {
    return this.#clocks.all
  }

  /** @throws RolledBack */
  async create(declared: Declared): Promise<void> {
    for (const resource of declared.resources) {
      try {
        await this.#make(resource, declared)
      } catch (error) {
        for (const clock of this.schedules) clock.pause()
        throw new RolledBack(`${resource.logicalId}: ${(error as Error).message}`, this.#kept(['Retain']))
      }
    }
    this.#parts.cloudFormation.complete('CREATE_COMPLETE', declared.outputs)
  }

  /**
   * Changes what differs, one resource after the other, then removes what is gone.
   * @param between what happens after each step
   * @throws RolledBack
   */
  async update(declared: Declared, between: (logicalId: string) => Promise<void>): Promise<void> {
    const before = new Map(this.#made)
    const changed = declared.resources.filter(
      (resource) => !isDeepStrictEqual(resource, before.get(resource.logicalId)),
    )
    for (const resource of changed) {
      try {
        await this.#make(resource, declared)
        await between(resource.logicalId)
      } catch (error) {
        await this.#takeBack(before)
        throw new RolledBack(`${resource.logicalId}: ${(error as Error).message}`, [])
      }
    }
    const left = new Set(declared.resources.map(keyOf))
    for (const resource of before.values()) if (!left.has(keyOf(resource))) this.#remove(resource)
    this.#parts.cloudFormation.complete('UPDATE_COMPLETE', declared.outputs)
  }

  /** Removes all that is not retained. @param declared an empty stack. */
  async delete(declared: Declared): Promise<void> {
    await this.update(declared, async () => {})
    this.#parts.cloudFormation.complete('DELETE_COMPLETE', [])
  }

  /** What would stay if the stack were deleted now. */
  kept(): readonly Retained[] {
    return this.#kept(RETAINED)
  }

  #kept(policies: readonly string[]): readonly Retained[] {
    const { secrets } = this.#parts
    const kept = [...this.#made.values()].filter(({ deletionPolicy }) => policies.includes(deletionPolicy))
    return kept.map((resource) => {
      const secret = secrets.secrets.find((each) => each.arn === resource.identity.ref)
      const { type, logicalId, identity } = resource
      return { type, logicalId, name: identity.name, resource, ...(secret ? { secret } : {}) }
    })
  }

  async #takeBack(before: ReadonlyMap<string, TemplateResource>): Promise<void> {
    const resources = [...before.values()]
    for (const resource of this.#made.values()) if (!before.has(resource.logicalId)) this.#remove(resource)
    const declared = { resources, outputs: [], stack: this.#parts.readStack(resources) }
    for (const resource of resources) {
      if (this.#made.get(resource.logicalId) !== resource) await this.#make(resource, declared)
    }
  }

  async #make(resource: TemplateResource, declared: Declared): Promise<void> {
    const { logicalId } = resource
    const { policies, account, functions, parameters, systemsManager } = this.#parts
    const before = this.#made.get(logicalId)
    if (before === undefined) refuseTwin(resource, this.#parts.retained)
    findRoles(resource, declared.stack, this.#parts.roles)
    policies.forget(logicalId)
    readPoliciesOf(resource, policies, account, declared.resources)
    const { stack } = declared
    const own = <T extends { readonly logicalId: string }>(all: readonly T[]) =>
      all.filter((each) => each.logicalId === logicalId)
    for (const secret of own(stack.secrets)) await makeSecret(secret, { before, now: resource }, this.#parts)
    for (const { name, type, value } of own(stack.parameters)) parameters.create(name, type, value)
    for (const document of own(stack.documents)) systemsManager.documents.put(document)
    for (const deployment of own(stack.functions)) {
      await mayAssume('lambda.amazonaws.com', deployment.role, stack, this.#parts)
      functions.put(deployment)
    }
    for (const rotation of own(stack.rotations)) await this.#configureRotation(rotation)
    for (const association of own(stack.associations)) this.#startAssociation(association)
    for (const schedule of own(stack.schedules)) {
      const groupArn = arn(account, 'scheduler', `schedule-group/${schedule.group}`)
      await mayAssume('scheduler.amazonaws.com', schedule.target.role, stack, this.#parts, {
        'aws:SourceArn': groupArn,
      })
      this.#clocks.put(startSchedule(schedule, this.#parts))
    }
    this.#made.set(logicalId, resource)
  }

  /** What is to be retained stays in the account, with what it says about permissions. */
  #remove({ logicalId, type, identity, deletionPolicy }: TemplateResource): void {
    const { policies, functions, stateManager, systemsManager } = this.#parts
    // Where another of its name has taken its place, what is gone is its old self alone.
    if (type === 'AWS::SSM::Document') systemsManager.documents.remove(identity.name)
    if (this.#made.get(logicalId)?.identity.name !== identity.name) return
    this.#made.delete(logicalId)
    if (RETAINED.includes(deletionPolicy)) return
    policies.forget(logicalId)
    functions.remove(logicalId)
    stateManager.remove(logicalId)
    this.#clocks.remove(logicalId)
  }

  async #configureRotation(rotation: DeclaredRotation): Promise<void> {
    const { account, rotator, secrets } = this.#parts
    const { logicalId, expression, functionArn } = rotation
    const secret = secrets.find(rotation.secret)
    secret.rotation = { functionArn, expression }
    const rotate = () => rotator.request(secret, uuid(account))
    await (rotation.immediately ? rotate() : rotator.test(secret))
    if (expression === undefined) return
    const timed = { kind: 'rotation' as const, logicalId, name: secret.name }
    this.#clocks.start(timed, parseRate(expression, logicalId), rotate)
  }

  #startAssociation(association: Association): void {
    const { background, stateManager } = this.#parts
    const { logicalId, name, period } = association
    background(stateManager.put(association))
    if (period === undefined) return
    const timed = { kind: 'association' as const, logicalId, name }
    const run = () => stateManager.runAll(association)
    this.#clocks.start(timed, period, run)
  }
}

/** Policies by which a resource outlives its stack. */
const RETAINED = ['Retain', 'RetainExceptOnCreate']

/** A resource under another name is another one: CloudFormation replaces it. */
function keyOf({ logicalId, identity }: TemplateResource): string {
  return `${logicalId}/${identity.name}`
}
