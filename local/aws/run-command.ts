import type { AgentResult } from './agent.ts'
import { commandOutput } from './agent-output.ts'
import type { CommandDocument } from './document.ts'
import type { ManagedNode } from './fleet.ts'
import type { CommandRecord, ExecutionRecord } from './history.ts'

export interface CommandRequest {
  readonly id: string
  readonly document: CommandDocument
  readonly parameters: Readonly<Record<string, readonly string[]>>
  readonly bound: Record<string, string>
  readonly targets: readonly { readonly Key: string; readonly Values: readonly string[] }[]
  readonly nodes: readonly ManagedNode[]
  readonly comment: string
  readonly maxConcurrency: string
  readonly maxErrors: string
  /** Seconds until a node that has not taken the command never will. */
  readonly timeoutSeconds: number
  readonly requestedAt: number
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
export type Execution = Mutable<ExecutionRecord>

/** A command on its way through the fleet: ramped up, stopped by errors, each node on its own clock. */
export class Command implements CommandRecord {
  readonly request: CommandRequest
  readonly invocations: Execution[]
  #status: readonly [string, string] = ['Pending', 'Pending']

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

  /** TimeoutSeconds plus the document's execution time-out: after that nobody is waited for. */
  get expiresAt(): number {
    const { document, timeoutSeconds, requestedAt } = this.request
    const [{ inputs }] = document.content.mainSteps
    return requestedAt + (timeoutSeconds + inputs.timeoutSeconds) * 1000
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
    this.#status = ['InProgress', 'InProgress']
    const queue = this.request.nodes.map((node, index) => ({ node, index }))
    const limit = Math.max(1, share(this.request.maxConcurrency, queue.length))
    const allowed = share(this.request.maxErrors, queue.length)
    // The first goes to one node; each time as many have ended as were let run, twice as many may.
    let window = 1
    let endedInWindow = 0
    const running = new Set<Promise<void>>()
    while (queue.length > 0 || running.size > 0) {
      while (queue.length > 0 && running.size < window && this.counts.errors <= allowed) {
        const { node, index } = queue.shift() ?? {}
        const execution = this.invocations[index ?? -1]
        if (!node || !execution) break
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
    for (const { index } of queue) end(this.invocations[index], 'Cancelled', 'Terminated')
    this.#status = summary(this.invocations, allowed)
  }

  async #runOn(node: ManagedNode, execution: Execution): Promise<void> {
    const { document, bound, id, requestedAt, timeoutSeconds } = this.request
    const delivery = await node.receive(requestedAt + timeoutSeconds * 1000)
    if (delivery === 'gone') return end(execution, 'Failed', 'Undeliverable')
    if (delivery === 'expired') return end(execution, 'TimedOut', 'DeliveryTimedOut')
    execution.status = 'InProgress'
    execution.statusDetails = 'InProgress'
    execution.startedAt = Date.now()
    const result = await node.agent.run({ id, kind: 'command' }, document, bound)
    // What an agent never reports counts as never delivered, though it ran.
    const heard = await node.reply(this.expiresAt)
    Object.assign(execution, { stdout: result.stdout, stderr: result.stderr })
    if (!heard) return end(execution, 'TimedOut', 'DeliveryTimedOut')
    execution.exitCode = result.exitCode
    end(execution, ...statusOf(result))
  }
}

export function pending(instance: string, document: string): Execution {
  const status = 'Pending'
  const none = { startedAt: undefined, endedAt: undefined, stdout: '', stderr: '', exitCode: -1 }
  return { instance, document, status, statusDetails: status, ...none }
}

/** Status and details of a run that an agent reported. */
export function statusOf({ status }: AgentResult): [status: string, details: string] {
  return [status, status === 'TimedOut' ? 'ExecutionTimedOut' : status]
}

/** An unheard answer stays unheard: its output is kept for the history, never shown by the API. */
export function shownOutput({ statusDetails, stdout, stderr }: ExecutionRecord): string {
  return statusDetails === 'DeliveryTimedOut' ? '' : commandOutput(stdout, stderr)
}

function end(execution: Execution | undefined, status: string, statusDetails: string): void {
  if (execution) Object.assign(execution, { status, statusDetails, endedAt: Date.now() })
}

/** A number, or a percentage of the targets. */
export function share(value: string, of: number): number {
  const number = Number.parseInt(value, 10)
  return value.endsWith('%') ? Math.floor((number * of) / 100) : number
}

/** The whole command's status. Undeliverable nodes count neither as errors nor against success. */
function summary(invocations: readonly Execution[], allowed: number): readonly [string, string] {
  const all = invocations.map(({ statusDetails }) => statusDetails)
  if (all.length === 0) return ['Failed', 'NoInstancesInTag']
  const errors = all.filter((details) => details === 'Failed' || details === 'ExecutionTimedOut').length
  if (errors > allowed) return ['Failed', 'Failed']
  if (errors > 0) return ['Failed', 'Incomplete']
  if (all.includes('Success')) return ['Success', 'Success']
  return all.every((details) => details === 'Undeliverable')
    ? ['Failed', 'Failed']
    : ['TimedOut', 'DeliveryTimedOut']
}
