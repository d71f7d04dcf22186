/** Work that is not waited for at once, but not forgotten either. */
export class Background {
  readonly #pending = new Set<Promise<unknown>>()
  readonly #log: (line: string) => void

  constructor(log: (line: string) => void) {
    this.#log = log
  }

  readonly add = (work: Promise<unknown>): void => {
    const settled: Promise<unknown> = work
      .catch((error: unknown) => this.#log(`loopback: ${(error as Error).stack ?? String(error)}`))
      .finally(() => this.#pending.delete(settled))
    this.#pending.add(settled)
  }

  /** Resolves when nothing is pending, including what the pending work started. */
  async idle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
  }
}
