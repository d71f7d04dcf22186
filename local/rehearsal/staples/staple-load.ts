import { setTimeout as pause } from 'node:timers/promises'
import type { Subject } from '../../../lambda/ocsp/subject.ts'
import type { FromClients, Host, StapledCertificate } from '../clients/messages.ts'
import { askForStaple, TLS_VERSIONS, type TlsVersion } from '../clients/tls-client.ts'
import { judgeSighting, type Sighting, subjectOfChain } from './observed-staple.ts'
import { countOutcome, emptyStapleTally, objectionTo, type PhaseCounts, type StaplePhase } from './tally.ts'

/** ms from one handshake to the next, and from one round to the next: the ring's clients want to be served too. */
const BETWEEN = 15
const RESTING = 800

export interface RoundOptions {
  readonly hosts: readonly Host[]
  readonly certificates: readonly StapledCertificate[]
  readonly authority: string
  readonly tell: (message: FromClients) => void
}

/** One question: a machine, a certificate of it, a TLS version. */
interface Question {
  readonly host: Host
  readonly certificate: string
  readonly subject: Subject
  readonly version: TlsVersion
}

/** TLS clients that ask every machine for the staple of each of its certificates, round after round. */
export class StapleRound {
  readonly tally = emptyStapleTally()
  readonly #options: RoundOptions
  readonly #questions: readonly Question[]
  #phase: StaplePhase | undefined
  #ended = false
  #rounds: Promise<void> = Promise.resolve()

  constructor(options: RoundOptions) {
    this.#options = options
    const subjects = new Map(options.certificates.map(({ name, chain }) => [name, subjectOfChain(chain)]))
    this.#questions = options.hosts.flatMap((host) =>
      options.certificates.flatMap(({ name, serverName }) =>
        TLS_VERSIONS.map((version) => ({
          host: { ...host, serverName },
          certificate: name,
          subject: subjects.get(name) as Subject,
          version,
        })),
      ),
    )
  }

  /** From now on this is what is going on; the first one lets the clients in. */
  enter(phase: StaplePhase): void {
    const isFirst = this.#phase === undefined
    this.#phase = phase
    this.tally.phases[phase.name] ??= { certificates: {}, asked: 0, rounds: 0, unexpected: 0 }
    if (isFirst) this.#rounds = this.#goRound()
  }

  async finish(): Promise<void> {
    this.#ended = true
    await this.#rounds
  }

  async #goRound(): Promise<void> {
    while (!this.#ended) {
      const phase = this.#phase
      for (const question of this.#questions) {
        if (this.#ended) return
        await this.#ask(question)
        await pause(BETWEEN)
      }
      // A round that began in another part says nothing about this one.
      if (phase !== undefined && phase === this.#phase) this.#countsOf(phase).rounds += 1
      await pause(RESTING)
    }
  }

  async #ask(question: Question): Promise<void> {
    const { host, certificate, version, subject } = question
    const before = this.#phase as StaplePhase
    const staple = await this.#twice(question)
    if (staple === 'failed') return
    const sighting = judgeSighting(staple, subject, new Date())
    this.#count(question, before, sighting)
    const objection = this.#objection(sighting, certificate, before)
    if (objection === undefined) return
    this.#countsOf(before).unexpected += 1
    this.#incident(
      `${before.name}: ${host.id} (${host.server}) stapled for ${certificate} in ${version}: ${objection}`,
    )
  }

  #count({ host, certificate }: Question, phase: StaplePhase, { outcome }: Sighting): void {
    const counts = this.#countsOf(phase)
    counts.asked += 1
    countOutcome(counts.certificates, certificate, outcome)
    countOutcome(this.tally.hosts, host.id, outcome)
  }

  /** What happened meanwhile may have been seen already. */
  #objection(sighting: Sighting, certificate: string, before: StaplePhase): string | undefined {
    const objection = objectionTo(sighting, before.expected[certificate])
    if (objection === undefined || this.#phase === before) return objection
    return objectionTo(sighting, this.#phase?.expected[certificate])
  }

  async #twice({ host, version }: Question): Promise<Buffer | undefined | 'failed'> {
    const asking = () => askForStaple(host, { authority: this.#options.authority, version })
    try {
      return await asking()
    } catch {
      return await asking().catch((error: Error) => {
        this.tally.failed += 1
        this.#incident(
          `asking ${host.id} for the staple of ${host.serverName} failed twice: ${error.message}`,
        )
        return 'failed' as const
      })
    }
  }

  #countsOf({ name }: StaplePhase): PhaseCounts {
    return this.tally.phases[name] as PhaseCounts
  }

  #incident(text: string): void {
    this.#options.tell({ type: 'incident', text })
  }
}
