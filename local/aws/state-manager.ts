import { type Account, uuid } from './account.ts'
import { type Execution, pending, share, statusOf } from './command-status.ts'
import { bindParameters, type CommandDocument } from './document.ts'
import type { Fleet } from './fleet.ts'
import type { ManagedNode } from './managed-node.ts'

/** A State Manager association as its template resource describes it. */
export interface Association {
  readonly logicalId: string
  readonly name: string
  readonly document: CommandDocument
  readonly parameters: Readonly<Record<string, readonly string[]>>
  readonly targets: readonly { readonly key: string; readonly values: readonly string[] }[]
  /** A number or a percentage of the targets. */
  readonly maxConcurrency: string
  /** Seconds; none for one that runs only at creation and on new machines. */
  readonly period: number | undefined
}

/** How long a new machine may take until its agent connects (ms). */
const AGENT_PATIENCE = 600_000

/** Runs associations: at once on a machine that joins, and on their schedule. */
export class StateManager {
  readonly executions: Execution[] = []
  readonly #account: Account
  readonly #associations = new Map<string, Association>()
  readonly #fleet: Fleet
  readonly #background: (work: Promise<unknown>) => void
  /** What has begun on a machine and not ended. */
  readonly #underway = new WeakMap<ManagedNode, Map<Association, Promise<void>>>()

  constructor(parts: {
    account: Account
    fleet: Fleet
    background: (work: Promise<unknown>) => void
  }) {
    this.#account = parts.account
    this.#fleet = parts.fleet
    this.#background = parts.background
  }

  /** An association that is created or changed runs at once. */
  put(association: Association): Promise<void> {
    this.#associations.set(association.logicalId, association)
    return this.runAll(association)
  }

  remove(logicalId: string): void {
    this.#associations.delete(logicalId)
  }

  /** A new machine does not wait for the interval; one whose agent is not connected yet is served once it is. */
  welcome(node: ManagedNode): void {
    for (const association of this.#associations.values()) {
      if (this.#members(association).includes(node))
        this.#background(this.#runOnceReachable(association, node))
    }
  }

  async #runOnceReachable(association: Association, node: ManagedNode): Promise<void> {
    if (node.state === 'lost' && (await node.receive(Date.now() + AGENT_PATIENCE)) !== 'delivered') return
    await this.#run(association, node)
  }

  /** As many targets together as the association allows; machines out of reach are left out until next time. */
  async runAll(association: Association): Promise<void> {
    const queue = this.#members(association).filter(({ state }) => state === 'online')
    const lane = async () => {
      for (let node = queue.shift(); node; node = queue.shift()) await this.#run(association, node)
    }
    const lanes = Math.max(1, share(association.maxConcurrency, queue.length))
    await Promise.all(Array.from({ length: lanes }, lane))
  }

  #members({ targets }: Association): ManagedNode[] {
    return this.#fleet.matching(targets)
  }

  /**
   * An agent runs its associations one after the other, and begins none that has not ended.
   * Source: amazon-ssm-agent, agent/association/processor/processor.go, `documentWorkersLimit`, `IsAssociationInProgress`.
   */
  async #run(association: Association, node: ManagedNode): Promise<void> {
    const underway = this.#underway.get(node) ?? new Map<Association, Promise<void>>()
    this.#underway.set(node, underway)
    const begun = underway.get(association)
    if (begun !== undefined) return begun
    const run = Promise.all(underway.values()).then(() => this.#execute(association, node))
    underway.set(association, run)
    await run.finally(() => underway.delete(association))
  }

  async #execute({ document, parameters }: Association, node: ManagedNode): Promise<void> {
    const execution = pending(node.id, document.name)
    this.executions.push(execution)
    execution.startedAt = Date.now()
    const result = await node.agent.run(
      { id: uuid(this.#account), kind: 'association' },
      document,
      bindParameters(document, parameters),
    )
    const { exitCode, stdout, stderr } = result
    const [status, statusDetails] = statusOf(result)
    Object.assign(execution, { status, statusDetails, stdout, stderr, exitCode, endedAt: Date.now() })
  }
}
