/** Of each kind, so many are kept in their own words. */
const EXAMPLES = 5

/** What went wrong at the clients: all of it counted, and examples of each kind. */
export class Incidents {
  total = 0
  readonly examples: string[] = []
  readonly #kinds = new Map<string, number>()

  /** @param kind what went wrong and where, apart from when. */
  add(kind: string, text: string): void {
    const before = this.#kinds.get(kind) ?? 0
    this.#kinds.set(kind, before + 1)
    this.total += 1
    if (before < EXAMPLES) this.examples.push(text)
  }
}
