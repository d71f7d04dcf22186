import type { Subject } from '../../../lambda/ocsp/subject.ts'
import {
  judgeSighting,
  objectionTo,
  type StapleOutcome,
  type StaplePhase,
  subjectOfChain,
} from '../staples/observed-staple.ts'
import type { FleetAvailability } from './availability.ts'
import { type Probe, twice } from './load.ts'
import type { Host, StapledCertificate, Tell } from './messages.ts'
import {
  count,
  emptyStapleTally,
  noCounts,
  type PhaseTally,
  STAPLE_COUNTS,
  type StapleCounts,
} from './tally.ts'
import { askForStaple, TLS_VERSIONS, type TlsVersion } from './tls-client.ts'

/** ms from one handshake to the next, and from one round to the next: the ring's clients want to be served too. */
const BETWEEN = 15
const RESTING = 800
/** ms from one look for a phase to the next, before the first. */
const WAITING = 50

interface StapleProbeOptions {
  readonly hosts: readonly Host[]
  readonly certificates: readonly StapledCertificate[]
  readonly authority: string
  readonly tell: Tell
  readonly availability: FleetAvailability
}

/** One question: a machine, a certificate of it, a TLS version. */
interface Question {
  readonly host: Host
  readonly certificate: string
  readonly subject: Subject
  readonly version: TlsVersion
}

/** A client that asks every machine for the staple of each of its certificates, round after round. */
export class StapleProbe implements Probe {
  readonly tally = emptyStapleTally()
  readonly #options: StapleProbeOptions
  readonly #questions: readonly Question[]
  #phase: StaplePhase | undefined
  #turn = 0
  /** What was going on when this round began. */
  #roundOf: StaplePhase | undefined

  constructor(options: StapleProbeOptions) {
    this.#options = options
    this.#questions = options.certificates.flatMap(({ name, serverName, chain }) => {
      const subject = subjectOfChain(chain)
      return options.hosts.flatMap((host) =>
        TLS_VERSIONS.map((version) => ({
          host: { ...host, serverName },
          certificate: name,
          subject,
          version,
        })),
      )
    })
  }

  /** From now on this is what is going on; the first one lets the client in. */
  enter(phase: StaplePhase): void {
    this.#phase = phase
    this.tally.phases[phase.name] ??= { certificates: {}, asked: 0, rounds: 0, unexpected: 0 }
  }

  async next(): Promise<number> {
    const phase = this.#phase
    const question = this.#questions[this.#turn]
    if (phase === undefined || question === undefined) return WAITING
    if (this.#turn === 0) this.#roundOf = phase
    if (this.#options.availability.of(question.host).serves) await this.#ask(question, phase)
    this.#turn = (this.#turn + 1) % this.#questions.length
    if (this.#turn > 0) return BETWEEN
    // A round that began in another phase says nothing about this one.
    if (this.#roundOf === this.#phase) this.#tallyOf(phase).rounds += 1
    return RESTING
  }

  async #ask(question: Question, phase: StaplePhase): Promise<void> {
    const { host, certificate, version, subject } = question
    const given = await this.#connect(question)
    if (given === undefined) return
    const sighting = judgeSighting(given.staple, subject, new Date())
    this.#count(question, phase, sighting.outcome)
    // What happened meanwhile may have been seen already.
    const objections = [phase, this.#phase].map((each) => objectionTo(sighting, each?.expected[certificate]))
    if (objections.includes(undefined)) return
    this.#tallyOf(phase).unexpected += 1
    const what = `${phase.name}: ${host.id} (${host.server}) stapled for ${certificate} in ${version}`
    this.#options.tell({ type: 'incident', kind: what, text: `${what}: ${objections.at(-1)}` })
  }

  async #connect({ host, version }: Question): Promise<{ readonly staple: Buffer | undefined } | undefined> {
    const { authority, tell, availability } = this.#options
    const asking = async () => ({ staple: await askForStaple(host, { authority, version }) })
    return twice(asking, ({ message }) => {
      // Of what went away while it was asked its clients know why.
      if (availability.of(host).reason !== undefined) return
      this.tally.failed += 1
      const kind = `asking ${host.id} for the staple of ${host.serverName} failed twice`
      tell({ type: 'incident', kind, text: `${kind}: ${message}` })
    })
  }

  #count({ host, certificate }: Question, phase: StaplePhase, outcome: StapleOutcome): void {
    const { certificates } = this.#tallyOf(phase)
    this.#tallyOf(phase).asked += 1
    certificates[certificate] ??= noCounts(STAPLE_COUNTS)
    this.tally.hosts[host.id] ??= noCounts(STAPLE_COUNTS)
    for (const counts of [certificates[certificate], this.tally.hosts[host.id]])
      count(counts as StapleCounts, 'asked', outcome)
  }

  #tallyOf({ name }: StaplePhase): PhaseTally {
    return this.tally.phases[name] as PhaseTally
  }
}
