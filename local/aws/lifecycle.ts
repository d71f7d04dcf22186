import type { LifecycleTarget, MachineGroup } from './machine.ts'

type Result = 'CONTINUE' | 'ABANDON'

/** On the way to each: what a machine is called while a hook keeps it. Source: Auto Scaling user guide, lifecycle. */
const WAITING: Readonly<Record<LifecycleTarget, string>> = {
  InService: 'Pending:Wait',
  'Warmed:Stopped': 'Warmed:Pending:Wait',
  'Warmed:Running': 'Warmed:Pending:Wait',
  'Warmed:Hibernated': 'Warmed:Pending:Wait',
  'Warmed:Terminated': 'Warmed:Terminating:Wait',
  Terminated: 'Terminating:Wait',
}

/** The way of one machine through its Auto Scaling group, which waits at each step until its launch hooks are completed. */
export class Lifecycle {
  readonly group: string
  target: LifecycleTarget
  readonly #hooks: readonly string[]
  readonly #onAbandon: () => void
  #waiting: Set<string>

  constructor({ name, hooks, target = 'InService' }: MachineGroup, onAbandon: () => void) {
    this.group = name
    this.target = target
    this.#hooks = hooks
    this.#waiting = new Set(hooks)
    this.#onAbandon = onAbandon
  }

  get state(): string {
    return this.#waiting.size > 0 ? WAITING[this.target] : this.target
  }

  /** Each hook waits again: a transition into the warm pool or out of it is one of launching as well. */
  bringTo(target: LifecycleTarget): void {
    this.target = target
    this.#waiting = new Set(this.#hooks)
  }

  /** @returns false where no action of that hook is under way. */
  complete(hook: string, result: Result): boolean {
    if (!this.#waiting.delete(hook)) return false
    if (result === 'ABANDON') this.#abandon()
    return true
  }

  /** What has not been completed in time ends by the hook's default. */
  timeOut(result: Result): void {
    this.#waiting.clear()
    if (result === 'ABANDON') this.#abandon()
  }

  #abandon(): void {
    this.#waiting.clear()
    this.target = 'Terminated'
    this.#onAbandon()
  }
}
