import type { Account } from './account.ts'
import type { DurationOverride, Timed } from './contract.ts'
import { Ticker } from './scheduler.ts'

interface ClockParts {
  readonly account: Account
  readonly background: (work: Promise<unknown>) => void
  readonly timing: DurationOverride
  readonly paused: boolean
}

/** Every clock of a stack, by the resource that it is of. */
export class Clocks {
  readonly #parts: ClockParts
  readonly #running = new Map<string, Ticker>()

  constructor(parts: ClockParts) {
    this.#parts = parts
  }

  get all(): Ticker[] {
    return [...this.#running.values()]
  }

  /** A clock takes the place of the one before it. */
  put(clock: Ticker): void {
    this.#running.get(clock.logicalId)?.pause()
    this.#running.set(clock.logicalId, clock)
  }

  /** A clock that begins a whole period from now, unless all start paused. */
  start(timed: Timed, declared: number, action: () => Promise<void>): void {
    const { account, background, paused, timing } = this.#parts
    const clock = new Ticker(timed, { period: timing.period?.(declared, timed) ?? declared }, account, () => {
      const run = action()
      background(run)
      return run
    })
    if (!paused) clock.start(false)
    this.put(clock)
  }

  remove(logicalId: string): void {
    this.#running.get(logicalId)?.pause()
    this.#running.delete(logicalId)
  }
}
