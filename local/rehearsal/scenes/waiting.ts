import { setTimeout as pause } from 'node:timers/promises'
import { RehearsalError } from '../rehearsal-error.ts'

/** How long a scene waits for what has to come, and how often it looks (ms). A delivery on a busy machine takes a minute. */
export const PATIENCE = 300_000
const LOOK_EVERY = 50

/** How a scene waits: for what has to come, and no longer once something has come that must not. */
export class Waiting {
  readonly #signal: AbortSignal
  readonly #forbidden = new Set<() => string | undefined>()

  /** @param signal aborted once the scene's end is not waited for any more. */
  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  /** From now on whatever is waited for fails with what this says. @returns what ends that. */
  forbid(wrong: () => string | undefined): () => void {
    this.#forbidden.add(wrong)
    return () => this.#forbidden.delete(wrong)
  }

  /** @throws RehearsalError where what is forbidden has come about. */
  check(): void {
    this.#signal.throwIfAborted()
    for (const wrong of this.#forbidden) {
      const came = wrong()
      if (came !== undefined) throw new RehearsalError(came)
    }
  }

  /** @throws RehearsalError as {@link check}, or where it does not come. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE
    for (;;) {
      this.check()
      if (isSo()) return
      if (Date.now() > deadline)
        throw new RehearsalError(`after ${PATIENCE / 1000} s it is still not so that ${what}`)
      await pause(LOOK_EVERY)
    }
  }
}
