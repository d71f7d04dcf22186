/** What a measurement has opened: processes, servers, folders. Closed in reverse, however the measurement ends. */
export class Scope {
  #closers: (() => unknown)[] = []

  /** Registers how to close what was just opened. */
  defer(close: () => unknown): void {
    this.#closers.push(close)
  }

  /** Closes everything once; one that fails does not keep the others open. @throws AggregateError at the end. */
  async close(): Promise<void> {
    const errors: unknown[] = []
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        await closer()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, 'something would not close')
  }
}
