/** Lets so many at a time work with each host; the others wait for their turn, first come, first served. */
export class HostLimiter {
  readonly #most: number
  readonly #busy = new Map<string, number>()
  readonly #waiting = new Map<string, (() => void)[]>()

  constructor(most: number) {
    this.#most = most
  }

  async take<T>(host: string, work: () => Promise<T>): Promise<T> {
    await this.#enter(host)
    try {
      return await work()
    } finally {
      this.#leave(host)
    }
  }

  async #enter(host: string): Promise<void> {
    const busy = this.#busy.get(host) ?? 0
    if (busy < this.#most) {
      this.#busy.set(host, busy + 1)
      return
    }
    const line = this.#waiting.get(host) ?? []
    this.#waiting.set(host, line)
    // One that leaves hands its place over: the count stays.
    await new Promise<void>((resolve) => line.push(resolve))
  }

  #leave(host: string): void {
    const next = this.#waiting.get(host)?.shift()
    if (next !== undefined) next()
    else this.#busy.set(host, (this.#busy.get(host) ?? 1) - 1)
  }
}
