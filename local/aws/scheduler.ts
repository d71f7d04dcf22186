import type { Account } from './account.ts'
import type { ScheduleControl, Timed } from './contract.ts'

const SCHEDULED_TIME = '<aws.scheduler.scheduled-time>'

/** Something that happens every so often until it is paused. */
export class Ticker implements ScheduleControl {
  readonly kind: Timed['kind']
  readonly logicalId: string
  readonly name: string
  readonly period: number
  readonly #window: number
  readonly #isFree: () => boolean
  readonly #account: Account
  readonly #action: (scheduledTime: Date) => Promise<void>
  #timers = new Set<NodeJS.Timeout>()
  #running = false
  #next = 0

  constructor(
    { kind, logicalId, name }: Timed,
    { period, window = 0, isFree = () => true }: { period: number; window?: number; isFree?: () => boolean },
    account: Account,
    action: (scheduledTime: Date) => Promise<void>,
  ) {
    this.kind = kind
    this.logicalId = logicalId
    this.name = name
    this.period = period
    this.#window = window
    this.#isFree = isFree
    this.#account = account
    this.#action = action
  }

  /** The first firing of a rate is at its creation. */
  start(immediately: boolean): void {
    this.#next = Date.now() + (immediately ? 0 : this.period * 1000)
    this.resume()
  }

  pause(): void {
    this.#running = false
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  resume(): void {
    if (this.#running) return
    this.#running = true
    this.#arm()
  }

  async fire(scheduledTime = new Date(this.#account.now())): Promise<void> {
    await this.#action(scheduledTime)
  }

  #arm(): void {
    // What passed while paused is not made up for.
    const periods = Math.floor((Date.now() - this.#next) / (this.period * 1000))
    if (periods > 0) this.#next += periods * this.period * 1000
    const due = this.#next
    this.#next += this.period * 1000
    this.#after(due - Date.now(), () => {
      const flexible = this.#window * 1000 * (Number(this.#account.random(1)[0]) / 256)
      this.#after(flexible, () => void this.#fireOrNot(new Date(due)))
      this.#arm()
    })
  }

  /** A firing that is refused is in the history; the next one comes all the same. */
  async #fireOrNot(due: Date): Promise<void> {
    if (!this.#isFree()) return
    await this.#action(due).catch(() => {})
  }

  #after(milliseconds: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      act()
    }, milliseconds)
    timer.unref()
    this.#timers.add(timer)
  }
}

/** A schedule's input with the context attribute filled in, as Scheduler writes times. */
export function scheduledInput(input: string, scheduledTime: Date): unknown {
  const stamp = scheduledTime.toISOString().replace(/\.\d+Z$/, 'Z')
  return JSON.parse(input.replaceAll(SCHEDULED_TIME, stamp))
}
