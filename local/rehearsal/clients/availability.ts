/** How a machine stands with its clients, apart from the ring. */
export interface Availability {
  /** Whether clients are led to it. */
  readonly serves: boolean
  /** Why what fails there, or fails elsewhere with its tickets, is to be expected; absent where nothing is. */
  readonly reason?: string
  /** Whether tickets that it gives fail elsewhere as well: it is generations behind the others, or soon will be. */
  readonly isBehind?: true
}

const NORMAL: Availability = { serves: true }

/** How every machine stands with its clients. */
export class FleetAvailability {
  readonly #known = new Map<string, Availability>()

  /** @param absent machines that clients are not led to before they hear more. */
  constructor(absent: readonly string[] = []) {
    for (const id of absent) this.#known.set(id, { serves: false })
  }

  set(id: string, availability: Availability): void {
    this.#known.set(id, availability)
  }

  of({ id }: { readonly id: string }): Availability {
    return this.#known.get(id) ?? NORMAL
  }

  /** Those of these machines that clients are led to. */
  serving<T extends { readonly id: string }>(machines: readonly T[]): readonly T[] {
    return machines.filter((machine) => this.of(machine).serves)
  }
}
