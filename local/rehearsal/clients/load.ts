import { setTimeout as pause } from 'node:timers/promises'

/** What the clients of a load try, one after the other, and count. */
export interface Probe {
  /** One client's next try. @returns ms that it rests afterwards. */
  next(): Promise<number>
  /** What is to be tried once no client is at work any more. */
  last?(): Promise<void>
}

/** Clients at work, until they are told to finish. */
export class Load {
  readonly #probe: Probe
  readonly #concurrency: number
  readonly #finishing = new AbortController()
  #clients: readonly Promise<void>[] = []

  /** @param concurrency clients that are at work at the same time. */
  constructor(probe: Probe, concurrency: number) {
    this.#probe = probe
    this.#concurrency = concurrency
  }

  start(): void {
    this.#clients = Array.from({ length: this.#concurrency }, () => this.#work())
  }

  async finish(): Promise<void> {
    this.#finishing.abort()
    await Promise.all(this.#clients)
    await this.#probe.last?.()
  }

  async #work(): Promise<void> {
    const { signal } = this.#finishing
    while (!signal.aborted) {
      const rest = await this.#probe.next()
      await pause(rest, undefined, { signal }).catch(() => {})
    }
  }
}

/** A connection, and another where it failed. @returns undefined where both did: what a user would see as an error. */
export async function twice<T extends object>(
  connect: () => Promise<T>,
  failed: (error: Error) => void,
): Promise<T | undefined> {
  try {
    return await connect()
  } catch {
    return await connect().catch((error: Error) => {
      failed(error)
      return undefined
    })
  }
}
