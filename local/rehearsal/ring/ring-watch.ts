import { parseRing, type Ring } from '../../../lambda/ring/ring.ts'
import type { LoopbackAws } from '../../aws/contract.ts'
import type { RingView } from '../clients/ticket-validity.ts'
import { isReleaseOf } from './documents.ts'
import { resultLineOf } from './result-line.ts'

interface Watched {
  readonly ring: string
  readonly secret: string
  readonly document: string
}

/** Looks into the loopback AWS's memory: which rings there were, who confirmed which, whether a delivery runs. */
export class RingWatch {
  /** Every ring of the run by VersionId, those that never became AWSCURRENT included: key material. */
  readonly rings = new Map<string, Ring>()
  /** The newest generation that each instance confirmed. */
  readonly confirmedBy = new Map<string, number>()
  readonly #aws: LoopbackAws
  readonly #ring: string
  readonly #secret: string
  readonly #document: string
  readonly #clock: () => number
  /** Results that were read before. */
  readonly #heard = new Set<string>()
  #current: Ring | undefined
  #revoked = 0
  #confirmed = 0
  #confirmedAt = 0

  /** @param watched names of the ring, of its secret and of a document that delivers it. */
  constructor(aws: LoopbackAws, { ring, secret, document }: Watched, clock: () => number) {
    this.#aws = aws
    this.#ring = ring
    this.#secret = secret
    this.#document = document
    this.#clock = clock
  }

  /** What AWSCURRENT names; undefined before genesis. */
  get current(): Ring | undefined {
    return this.#current
  }

  /** Whether every one of these machines confirmed what AWSCURRENT holds. */
  isConverged(instances: readonly string[]): boolean {
    const { generation } = this.#current ?? {}
    return generation !== undefined && this.#leastConfirmed(instances) >= generation
  }

  /** Looks again. @param instances the fleet, whose slowest member counts. */
  look(instances: readonly string[]): RingView {
    this.#readSecret()
    this.#readResults()
    const confirmed = this.#leastConfirmed(instances)
    if (confirmed !== this.#confirmed) this.#confirmedAt = this.#clock()
    this.#confirmed = confirmed
    return {
      committed: this.#current?.generation ?? 0,
      confirmed,
      confirmedAt: this.#confirmedAt,
      revoked: this.#revoked,
      delivering: this.#isDelivering(),
      encryptsIn: this.#encryptsIn(),
    }
  }

  #isDelivering(): boolean {
    const { commands } = this.#aws.history
    return commands.some(
      ({ status, document }) => isReleaseOf(document, this.#document) && !ENDED.has(status),
    )
  }

  /** The generation in which a key encrypts, by key name. */
  #encryptsIn(): Record<string, number> {
    const named = new Map<string, number>()
    for (const { generation, previous, current, next } of this.rings.values()) {
      named.set(previous.name, generation - 1)
      named.set(current.name, generation)
      // Of a ring that was never committed, another one took the place.
      if (!named.has(next.name)) named.set(next.name, generation + 1)
    }
    return Object.fromEntries(named)
  }

  #readSecret(): void {
    for (const { id, value, labels } of this.#aws.secretVersions(this.#secret)) {
      if (value === undefined) continue
      if (!this.rings.has(id)) {
        const ring = parseRing(value, this.#ring)
        if (ring !== undefined) this.rings.set(id, ring)
      }
      if (!labels.includes('AWSCURRENT')) continue
      this.#current = this.rings.get(id)
      // Its VersionId says so.
      if (id.startsWith('revoke-')) this.#revoked = this.#current?.generation ?? 0
    }
  }

  #readResults(): void {
    const { commands, associations } = this.#aws.history
    const lineage = this.#current?.lineage
    for (const { instance, exitCode, stdout } of [
      ...commands.flatMap((each) => each.invocations),
      ...associations,
    ]) {
      const said = `${instance} ${stdout}`
      if (exitCode !== 0 || this.#heard.has(said)) continue
      const line = resultLineOf(stdout)
      if (line === undefined || line.lineage !== lineage) continue
      this.#heard.add(said)
      this.confirmedBy.set(instance, Math.max(line.generation, this.confirmedBy.get(instance) ?? 0))
    }
  }

  #leastConfirmed(instances: readonly string[]): number {
    return Math.min(...instances.map((id) => this.confirmedBy.get(id) ?? 0))
  }
}

const ENDED = new Set(['Success', 'Failed', 'Cancelled', 'TimedOut'])
