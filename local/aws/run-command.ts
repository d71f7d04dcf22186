import { setTimeout as sleep } from 'node:timers/promises'
import { type Execution, end, pending, share, statusOf, summary } from './command-status.ts'
import type { CommandDocument } from './document.ts'
import type { CommandRecord } from './history.ts'
import type { ManagedNode } from './managed-node.ts'

export interface CommandRequest {
  readonly id: string
  readonly document: CommandDocument
  readonly parameters: Readonly<Record<string, readonly string[]>>
  /** The values that the document runs with on a machine. */
  readonly valuesOn: (node: ManagedNode) => Promise<Record<string, string>>
  readonly instances: readonly string[]
  readonly targets: readonly { readonly Key: string; readonly Values: readonly string[] }[]
  readonly nodes: readonly ManagedNode[]
  readonly comment: string
  readonly maxConcurrency: string
  readonly maxErrors: string
  /** Seconds until a machine that has not begun never will. */
  readonly timeoutSeconds: number
  readonly requestedAt: number
}

/** What Node's timers can count: 24 days. */
const LONGEST_TIMER = 2 ** 31 - 1

/** A command on its way through the fleet: ramped up, stopped by errors, each node on its own clock. */
export class Command implements CommandRecord {
  readonly request: CommandRequest
  readonly invocations: Execution[]
  #status: readonly [string, string] = ['Pending', 'Pending']
  #cancelled = false
  readonly #over = new AbortController()

  constructor(request: CommandRequest) {
    this.request = request
    this.invocations = request.nodes.map((node) => pending(node.id, request.document.name))
  }

  get id(): string {
    return this.request.id
  }
  get document(): string {
    return this.request.document.name
  }
  get parameters(): CommandRequest['parameters'] {
    return this.request.parameters
  }
  get comment(): string {
    return this.request.comment
  }
  get requestedAt(): number {
    return this.request.requestedAt
  }
  get status(): string {
    return this.#status[0]
  }
  get statusDetails(): string {
    return this.#status[1]
  }

  /** The total time-out, TimeoutSeconds and the document's own: who has not answered by then counts as unreachable. */
  get expiresAt(): number {
    const [{ inputs }] = this.request.document.content.mainSteps
    return this.#startBy + inputs.timeoutSeconds * 1000
  }

  get #startBy(): number {
    return this.request.requestedAt + this.request.timeoutSeconds * 1000
  }

  get counts(): { completed: number; errors: number; deliveryTimedOut: number } {
    const ended = this.invocations.filter(({ endedAt }) => endedAt !== undefined)
    const some = (details: string[]) =>
      ended.filter(({ statusDetails }) => details.includes(statusDetails)).length
    return {
      completed: ended.length,
      errors: some(['Failed', 'ExecutionTimedOut']),
      deliveryTimedOut: some(['DeliveryTimedOut']),
    }
  }

  /** Resolves when the command is terminal. */
  async run(): Promise<void> {
    const expired = sleep(Math.min(this.expiresAt - Date.now(), LONGEST_TIMER), undefined, {
      ref: false,
      signal: this.#over.signal,
    })
    this.#status = ['InProgress', 'InProgress']
    await Promise.race([this.#ramp(), expired.catch(() => {})])
    this.#over.abort()
    for (const execution of this.invocations) end(execution, 'TimedOut', 'DeliveryTimedOut')
    this.#status = this.#cancelled ? ['Cancelled', 'Cancelled'] : summary(this.invocations, this.#allowed)
  }

  /** A machine that has not begun does not begin any more; what runs is killed. */
  cancel(instances: readonly string[]): void {
    const all = instances.length === 0
    this.#cancelled ||= all
    for (const [index, execution] of this.invocations.entries()) {
      if (!all && !instances.includes(execution.instance)) continue
      if (execution.startedAt === undefined) end(execution, 'Cancelled', 'Cancelled')
      else this.request.nodes[index]?.agent.cancel(this.id)
    }
    this.#endIfCancelled()
  }

  /** A machine out of reach does not hold up a command that is cancelled. */
  #endIfCancelled(): void {
    if (this.#cancelled && this.counts.completed === this.invocations.length) this.#over.abort()
  }

  get #allowed(): number {
    return share(this.request.maxErrors, this.request.nodes.length)
  }

  /** To one machine first; each time as many have ended as were let run, twice as many may. */
  async #ramp(): Promise<void> {
    const queue = this.request.nodes.map((node, index) => ({ node, execution: this.invocations[index] }))
    const limit = Math.max(1, share(this.request.maxConcurrency, queue.length))
    let window = 1
    let endedInWindow = 0
    const running = new Set<Promise<void>>()
    const mayStart = () => running.size < window && this.counts.errors <= this.#allowed
    while (queue.length > 0 || running.size > 0) {
      for (let next = queue[0]; next && mayStart(); next = queue[0]) {
        queue.shift()
        const { node, execution } = next
        if (!execution || execution.endedAt !== undefined) continue
        const run = this.#runOn(node, execution).finally(() => running.delete(run))
        running.add(run)
      }
      if (running.size === 0) break
      await Promise.race(running)
      endedInWindow += 1
      if (endedInWindow >= window) {
        window = Math.min(limit, window * 2)
        endedInWindow = 0
      }
    }
    for (const { execution } of queue) end(execution, 'Cancelled', 'Terminated')
  }

  /** A machine that does not answer holds its slot until the whole command expires. */
  async #runOn(node: ManagedNode, execution: Execution): Promise<void> {
    const { document, valuesOn, id } = this.request
    if (node.state === 'lost') Object.assign(execution, { status: 'Delayed', statusDetails: 'Delayed' })
    const delivery = await node.receive(this.#startBy, this.expiresAt)
    if (delivery === 'gone') return end(execution, 'Failed', 'Undeliverable')
    if (delivery === 'expired' || execution.endedAt !== undefined) return
    const begun = { status: 'InProgress', statusDetails: 'InProgress', startedAt: Date.now() }
    Object.assign(execution, begun)
    const values = await valuesOn(node).catch(() => undefined)
    if (values === undefined) return end(execution, 'Failed', 'Failed')
    const result = await node.agent.run({ id, kind: 'command' }, document, values)
    // What an agent never reports counts as never delivered, though it ran.
    const heard = await node.reply(this.expiresAt)
    Object.assign(execution, { stdout: result.stdout, stderr: result.stderr })
    if (!heard || execution.endedAt !== undefined) return
    execution.exitCode = result.exitCode
    end(execution, ...statusOf(result))
    this.#endIfCancelled()
  }
}
