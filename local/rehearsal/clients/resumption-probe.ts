import { setTimeout as pause } from 'node:timers/promises'
import type { FleetAvailability } from './availability.ts'
import { type Probe, twice } from './load.ts'
import type { Host, Tell } from './messages.ts'
import { isHoldingBack, restingTime, WATCHFUL } from './pacing.ts'
import { count, emptyTally, type Moment, noCounts, type Tally } from './tally.ts'
import { keyNameOf } from './ticket.ts'
import { type Ticket, TicketPool } from './ticket-pool.ts'
import { isPromised, type RingView } from './ticket-validity.ts'
import { type TlsVersion, type Visit, type Visiting, visit } from './tls-client.ts'

/** After a resumption failed, how long until what the secret held at that time is known for sure (ms). */
const HINDSIGHT = 1_000

const NOTHING_SEEN: RingView = {
  committed: 0,
  confirmed: 0,
  confirmedAt: 0,
  revoked: 0,
  delivering: false,
  encryptsIn: {},
}

type Outcome = 'reused' | 'refused' | 'failed'

interface ResumptionProbeOptions {
  readonly hosts: readonly Host[]
  readonly authority: string
  /** L in ms. */
  readonly lifetime: number
  readonly tell: Tell
  readonly availability: FleetAvailability
  /** Whether clients stay away in between, so that deliveries have their part of all tries. */
  readonly holdsBack: boolean
  /** Those that the fleet speaks. */
  readonly versions: readonly TlsVersion[]
}

/** TLS clients that keep coming back to the fleet with the tickets they were given. */
export class ResumptionProbe implements Probe {
  readonly tally: Tally = emptyTally()
  readonly #options: ResumptionProbeOptions
  readonly #pool = new TicketPool()
  readonly #sampled = new Set<string>()
  #view: RingView = NOTHING_SEEN
  #turn = 0
  #arrivals = 0

  constructor(options: ResumptionProbeOptions) {
    this.#options = options
  }

  see(view: RingView): void {
    this.#view = view
  }

  async next(): Promise<number> {
    await this.#tryRetired()
    if (this.#options.holdsBack && isHoldingBack(this.tally, this.#view)) return WATCHFUL
    // Taken before the visit: clients that counted after it would all read the same turn, and stay in step.
    const turn = this.#turn++
    // One visit in four is a newcomer, who then goes everywhere at once; the others come back.
    if (turn % 4 === 0 || this.#isNextNew()) await this.#arrive()
    else await this.#comeBack()
    return restingTime(this.tally, this.#view)
  }

  /** What is retired by now. */
  last(): Promise<void> {
    return this.#tryRetired()
  }

  get #hosts(): readonly Host[] {
    return this.#options.availability.serving(this.#options.hosts)
  }

  /** Every machine and version in turn. */
  #nextSource(): readonly [Host, TlsVersion] {
    const sources = this.#options.versions.flatMap((version) =>
      this.#hosts.flatMap((host) => (takes(host, version) ? [[host, version] as const] : [])),
    )
    return sources[this.#arrivals % sources.length] as readonly [Host, TlsVersion]
  }

  /** However slow the clients are, a ticket of every machine and version is there when its generation is retired. */
  #isNextNew(): boolean {
    const { committed } = this.#view
    return committed > 0 && !this.#pool.hasOf(...this.#nextSource(), committed)
  }

  async #arrive(): Promise<void> {
    const [from, version] = this.#nextSource()
    const turn = this.#arrivals++
    const door = doorOf(from, version, Math.floor(turn / this.#hosts.length / this.#options.versions.length))
    const ticket = await this.#take(from, version, door)
    if (ticket === undefined) return
    this.#pool.add(ticket)
    const peers = this.#hosts.filter(({ server }) => server === from.server)
    for (const to of peers) await this.#resume(ticket, to, 'at once')
    const strangers = this.#hosts.filter((host) => host.server !== from.server && takes(host, version))
    const stranger = strangers[turn % strangers.length]
    if (stranger !== undefined) await this.#resumeElsewhere(ticket, stranger)
  }

  async #comeBack(): Promise<void> {
    const ticket = this.#pool.draw(this.#view, Date.now(), this.#options.lifetime, Math.random)
    if (ticket === undefined) return this.#arrive()
    const peers = this.#hosts.filter((host) => host.server === ticket.from.server)
    if (peers.length === 0) return this.#arrive()
    await this.#resume(ticket, peers[Math.floor(Math.random() * peers.length)] as Host, 'in between')
  }

  async #take(from: Host, version: TlsVersion, door?: number): Promise<Ticket | undefined> {
    const given = await this.#visit(through(from, door), { version })
    const { reason, isBehind = false } = this.#options.availability.of(from)
    if (given === undefined) {
      if (reason === undefined) count(this.tally.resumption[version], 'failed')
      else this.#expect(reason, 'failed')
      return undefined
    }
    if (given.session === undefined || given.ticket === undefined) {
      if (reason === undefined) count(this.tally.tickets, 'missing')
      else this.#expect(reason, 'lost')
      return undefined
    }
    count(this.tally.tickets, 'taken')
    const name = keyNameOf(given.ticket)
    const generation = this.#view.encryptsIn[name]
    const { session } = given
    const by = { from, version, ...(door === undefined ? {} : { door }) }
    const issued = { ...by, session, keyName: name, issuedAt: Date.now(), proven: false }
    // Under a key that is the machine's own, as was to be expected.
    if (generation === undefined && reason !== undefined) return { ...issued, generation, reason }
    this.#sample(from, version, name, given.ticket)
    return { ...issued, generation, ...(isBehind && reason !== undefined ? { reason } : {}) }
  }

  #sample(from: Host, version: TlsVersion, name: string, ticket: Buffer): void {
    const key = `${from.id} ${version} ${name}`
    if (this.#sampled.has(key)) return
    this.#sampled.add(key)
    const sample = { host: from.id, version, ticket: ticket.toString('base64'), takenAt: Date.now() }
    this.#options.tell({ type: 'sample', ...sample })
  }

  async #resume(ticket: Ticket, to: Host, when: Moment): Promise<void> {
    if (!this.#isPromised(ticket)) return
    const moment = this.#momentOf(ticket, when)
    const before = this.#reasonFor(ticket, to)
    const outcome = await this.#attempt(ticket, to, 'reused')
    const reason = before ?? this.#reasonFor(ticket, to)
    if (outcome !== 'reused' && reason !== undefined)
      return this.#expect(reason, outcome === 'refused' ? 'lost' : 'failed')
    const failedAt = Date.now()
    if (outcome === 'refused') {
      // Its promise may have ended with a commit that we had not heard of yet: where we hear of any.
      if (this.#view.committed > 0) await pause(HINDSIGHT)
      if (!this.#isPromised(ticket, failedAt)) return
    }
    this.#count(ticket, to, moment, outcome)
  }

  #count(ticket: Ticket, to: Host, moment: Moment, outcome: Outcome): void {
    count(this.tally.pairs, `${ticket.from.id} ${to.id} ${ticket.version}`)
    count(this.tally.moments, moment)
    count(this.tally.resumption[ticket.version], 'tried', outcome === 'refused' ? 'lost' : outcome)
    if (outcome === 'reused') {
      ticket.proven = true
      return
    }
    const age = ((Date.now() - ticket.issuedAt) / 1000).toFixed(1)
    const what = outcome === 'refused' ? 'lost a resumption' : 'failed'
    this.#incident(
      `${what} at ${to.id}`,
      `${what}: ${ticket.version}, ticket of ${ticket.from.id} under generation ${ticket.generation ?? 'unknown'}, ` +
        `${age} s old, at ${to.id}, ${moment}, generation ${this.#view.committed} committed`,
    )
  }

  async #resumeElsewhere(ticket: Ticket, to: Host): Promise<void> {
    const outcome = await this.#attempt(ticket, to, 'refused')
    count(this.tally.crossKind, 'tried')
    if (outcome === 'reused') count(this.tally.crossKind, 'reused')
  }

  async #tryRetired(): Promise<void> {
    for (const ticket of this.#pool.takeRetired(this.#view, Date.now())) {
      for (const to of this.#hosts.filter((host) => host.server === ticket.from.server)) {
        // Once: a single acceptance is one too many, so there is no second try that could hide it.
        const outcome = await this.#attempt(ticket, to, 'refused')
        count(this.tally.retired, 'tried')
        if (outcome !== 'reused') continue
        count(this.tally.retired, 'accepted')
        this.#incident(
          `retired at ${to.id}`,
          `${to.id} accepted a ticket of ${ticket.from.id} under the retired generation ${ticket.generation}`,
        )
      }
    }
  }

  /** One try, and a second one where the first did not end as `hoped`. */
  async #attempt({ version, session, door }: Ticket, to: Host, hoped: Outcome): Promise<Outcome> {
    const host = through(to, door)
    const first = await this.#visit(host, { version, session })
    const isFinal = first === undefined || first.reused || hoped === 'refused'
    const shown = isFinal ? first : await this.#visit(host, { version, session })
    if (shown === undefined) return 'failed'
    return shown.reused ? 'reused' : 'refused'
  }

  /** @returns undefined where the connection failed twice. */
  #visit(to: Host, how: Omit<Visiting, 'authority'>): Promise<Visit | undefined> {
    const { authority } = this.#options
    return twice(
      () => visit(to, { authority, ...how }),
      ({ message }) => {
        if (this.#options.availability.of(to).reason === undefined)
          this.#incident(`a connection to ${to.id}`, `a connection failed twice: ${message}`)
      },
    )
  }

  /** Why a ticket may be refused there. */
  #reasonFor(ticket: Ticket, to: Host): string | undefined {
    return ticket.reason ?? this.#options.availability.of(to).reason
  }

  #expect(reason: string, what: 'lost' | 'failed'): void {
    this.tally.expected[reason] ??= noCounts(['lost', 'failed'])
    count(this.tally.expected[reason], what)
  }

  #momentOf(ticket: Ticket, when: Moment): Moment {
    if (this.#view.delivering) return 'during a delivery'
    if (ticket.generation !== undefined && ticket.generation < this.#view.committed)
      return 'after the next advance'
    return when
  }

  #isPromised({ issuedAt, keyName, generation }: Ticket, at = Date.now()): boolean {
    const issued = { issuedAt, generation: generation ?? this.#view.encryptsIn[keyName] }
    return isPromised(issued, this.#view, at, this.#options.lifetime)
  }

  #incident(kind: string, text: string): void {
    this.#options.tell({ type: 'incident', kind, text })
  }
}

/** Whether the machine gives tickets in this version, as far as it was asked. */
function takes({ doors }: Host, version: TlsVersion): boolean {
  return doors?.some(({ versions }) => versions.includes(version)) !== false
}

/** Which of a machine's doors clients of this version come to in this turn; undefined where it has one alone. */
function doorOf({ doors }: Host, version: TlsVersion, turn: number): number | undefined {
  const open = doors?.flatMap(({ versions }, index) => (versions.includes(version) ? [index] : []))
  return open?.[turn % open.length]
}

/** The machine as it is asked through one of its doors; through the first where it has no such one. */
function through(host: Host, door: number | undefined): Host {
  const found = host.doors?.[door ?? 0] ?? host.doors?.[0]
  if (found === undefined) return host
  const { port, serverName, proxyProtocol } = found
  return { ...host, port, serverName, proxyProtocol }
}
