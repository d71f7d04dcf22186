import { setTimeout as pause } from 'node:timers/promises'
import { allMachines } from '../../lambda/kernel/count.ts'
import type { Clients } from './clients/clients.ts'
import { totalOf } from './clients/tally.ts'
import type { RingView } from './clients/ticket-validity.ts'
import type { Faults } from './faults.ts'
import type { RunRecord } from './page/record.ts'
import type { Progress } from './progress.ts'
import { RehearsalError, stopIfAsked } from './rehearsal-error.ts'
import type { Testbed } from './testbed.ts'

/** How often it looks at what the loopback AWS knows (ms). */
const LOOK_EVERY = 40

interface Observed {
  readonly testbed: Testbed
  readonly clients: Clients
  readonly progress: Progress
  readonly signal: AbortSignal
  readonly faults?: Faults | undefined
  readonly record: RunRecord
}

/** Looks at the ring for as long as a run goes on, and tells clients and user what it sees. */
export class RunObserver {
  readonly #parts: Observed
  /** What was seen of the ring last. */
  view: RingView | undefined
  /** When the newest generation was committed (ms). */
  committedAt = Date.now()
  #announced = 0

  constructor(parts: Observed) {
    this.#parts = parts
  }

  isEnough(): boolean {
    return this.#parts.faults?.isEnough?.(this.#parts.clients) === true
  }

  /** Waits for as long as something is so, but no longer than it may, nor once what was seen is enough. */
  async while(isSo: () => boolean, what: string, milliseconds = 60_000): Promise<void> {
    const deadline = Date.now() + milliseconds
    while (isSo() && !this.isEnough() && Date.now() < deadline) await this.step(() => what)
  }

  /** One look at what is, told to the clients and to the user. */
  async step(state: () => string): Promise<void> {
    stopIfAsked(this.#parts.signal)
    const view = this.#parts.testbed.watch.look(this.#parts.testbed.ids)
    if (JSON.stringify(view) !== JSON.stringify(this.view)) {
      if (view.committed !== this.view?.committed) this.committedAt = Date.now()
      this.view = view
      this.#parts.clients.see(view)
      await this.#noteConvergence(view)
    }
    this.#parts.record.sample(this.#parts.clients.tally)
    // A narrow terminal cuts the end off: what matters most comes first.
    this.#parts.progress.state(`${this.#score()}; ${state()}`)
    await pause(LOOK_EVERY)
  }

  async #noteConvergence({ committed, confirmed }: RingView): Promise<void> {
    if (confirmed < committed || confirmed <= this.#announced) return
    this.#announced = confirmed
    const name = this.#parts.testbed.watch.current?.current.name.slice(0, 8)
    const took = ((Date.now() - this.committedAt) / 1000).toFixed(1)
    const members = this.#parts.testbed.members.length
    this.#parts.progress.say(
      `generation ${confirmed}: ${allMachines(members, 'encrypt')} with ${name}… after ${took} s; ${this.#score()}`,
    )
    await this.#parts.faults?.onConverged?.(this.#parts.testbed, confirmed)
  }

  #score(): string {
    const { tried, reused, lost, failed } = totalOf(this.#parts.clients.tally)
    const { retired } = this.#parts.clients.tally
    const bad = failed === 0 ? '' : `, ${failed} failed`
    return `${lost} lost${bad} of ${tried} tried, ${reused} reused; ${retired.accepted} of ${retired.tried} retired accepted`
  }

  /** @throws RehearsalError when it takes longer than `seconds`. */
  async until(what: string, seconds: number, isSo: () => boolean): Promise<void> {
    const deadline = Date.now() + seconds * 1000
    while (!isSo()) {
      if (Date.now() > deadline)
        throw new RehearsalError(`${what}: still so after ${seconds} s. ${this.#lastWords()}`)
      await this.step(() => what)
    }
  }

  /** What the functions and the instances said last, to explain a stall. */
  #lastWords(): string {
    const { logs, commands } = this.#parts.testbed.aws.history
    const said = logs.slice(-3).map(({ text }) => text.trim())
    const results = (commands.at(-1)?.invocations ?? []).map(({ instance, stdout, stderr }) => {
      return `${instance}: ${stdout.trim() || stderr.trim()}`
    })
    return [...said, ...results].join('\n')
  }
}
