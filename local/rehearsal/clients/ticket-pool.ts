import type { Host } from './messages.ts'
import { type Issued, isPromised, isRetired, type RingView } from './ticket-validity.ts'
import type { TlsVersion } from './tls-client.ts'

/** A ticket that a client holds. */
export interface Ticket extends Issued {
  readonly from: Host
  readonly version: TlsVersion
  /** Which of the machine's doors gave it, where it has several: they are alike on machines of a kind. */
  readonly door?: number
  readonly session: Buffer
  /** By which its generation is known, once the ring of that key is. */
  readonly keyName: string
  /** Why it may be lost: a machine gave it under a key of its own, or of a ring that the others have left behind. */
  readonly reason?: string
  /** Whether it was resumed once: only then does a later refusal prove that its key has gone. */
  proven: boolean
}

/** The newest tickets of each machine, version and generation: among them the last that a straggler issued. */
const NEWEST = 6
/** The first ones, kept until they are retired. */
const FIRST = 2

/** The tickets that clients hold. Time and chance are arguments. */
export class TicketPool {
  #newest: Ticket[] = []
  #first: Ticket[] = []

  add(ticket: Ticket): void {
    const alike = (other: Ticket) =>
      other.from.id === ticket.from.id &&
      other.version === ticket.version &&
      other.generation === ticket.generation
    const before = this.#newest.filter(alike)
    if (before.length >= NEWEST) this.#newest = this.#newest.filter((other) => other !== before[0])
    this.#newest.push(ticket)
    if (ticket.generation !== undefined && this.#first.filter(alike).length < FIRST) this.#first.push(ticket)
  }

  /** Whether it keeps a ticket of this source until it is retired. */
  hasOf(from: Host, version: TlsVersion, generation: number): boolean {
    return this.#first.some(
      (ticket) =>
        ticket.from.id === from.id && ticket.version === version && ticket.generation === generation,
    )
  }

  /** A ticket that the ring still promises: of every generation as often, since the older ones are in danger. */
  draw(view: RingView, now: number, lifetime: number, chance: () => number): Ticket | undefined {
    this.#newest = this.#newest.filter((ticket) => isPromised(ticket, view, now, lifetime))
    const promised = [
      ...this.#newest,
      ...this.#first.filter((ticket) => isPromised(ticket, view, now, lifetime)),
    ]
    const generations = [...new Set(promised.map(({ generation }) => generation))]
    const generation = generations[Math.floor(chance() * generations.length)]
    const among = promised.filter((ticket) => ticket.generation === generation)
    return among[Math.floor(chance() * among.length)]
  }

  /** Takes out the tickets that every machine must refuse by now. */
  takeRetired(view: RingView, now: number): readonly Ticket[] {
    const retired = this.#first.filter((ticket) => isRetired(ticket, view, now))
    this.#first = this.#first.filter((ticket) => !retired.includes(ticket))
    return retired.filter((ticket) => ticket.proven)
  }
}
