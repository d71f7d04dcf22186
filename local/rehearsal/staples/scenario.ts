import { setTimeout as pause } from 'node:timers/promises'
import type { Clients } from '../clients/clients.ts'
import { DRAINING } from '../clients/ticket-validity.ts'
import type { Progress } from '../progress.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import type { Testbed } from '../testbed.ts'
import type { Expectation, StapleOutcome } from './observed-staple.ts'
import { askStapleFunction, REFRESH, STATUS, type StapleStatus, wordsOn } from './staple-function.ts'

/** What the function was asked in the scenario, and what it said. */
export interface Said {
  readonly when: string
  /** What it answered of each certificate. */
  readonly words: readonly string[]
}

/** How long a part of it may take, and how often we look whether it is over (ms): a look may run the function. */
const PATIENCE = 120_000
const LOOK_EVERY = 300

export interface Scenario {
  readonly testbed: Testbed
  readonly clients: Clients
  readonly progress: Progress
  /** Aborted once its end is not waited for any more. */
  readonly signal: AbortSignal
  /** Beside a scene all stays well with the staples: the first part is the only one. */
  readonly parts: 'all' | 'first'
}

/** The parts of the scenario, in which clients may be given different things. */
const PART = {
  start: 'from the start',
  outage: 'responder stopped',
  return: 'responder coming back',
  fresh: 'responder back',
  revoking: 'being revoked',
  revoked: 'revoked',
} as const

export const PARTS: readonly string[] = Object.values(PART)

/** What the owner's choice makes of a certificate that is revoked. */
const AFTERWARDS = { staple: 'revoked', withhold: 'missing' } as const

/**
 * What happens to the staples while the ring turns: all is well; the responder ends and comes back; certificates are
 * revoked. The responder is asked by hand, since the schedule asks for no certificate twice within a minute.
 */
export class StapleScenario {
  readonly said: Said[] = []
  readonly #given: Scenario
  #part = ''
  #ended = false
  #trouble: string | undefined

  constructor(given: Scenario) {
    this.#given = given
  }

  get isOver(): boolean {
    return this.#ended
  }

  /** Why it came to no end; undefined where it did. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /** Never rejects: what did not come about in time is told as trouble, and judged with all else. */
  async play(): Promise<void> {
    try {
      this.#enter(PART.start)
      await this.#seenByAll()
      if (this.#given.parts === 'first') return
      await this.#stopResponder()
      await this.#startResponder()
      await this.#revoke()
    } catch (error) {
      if (!this.#given.signal.aborted) this.#trouble = `${this.#part}: ${(error as Error).message}`
    } finally {
      this.#ended = true
    }
  }

  async #stopResponder(): Promise<void> {
    const { testbed, progress } = this.#given
    await testbed.responder.stop()
    this.#enter(PART.outage)
    progress.say('staples: the responder was stopped')
    const said = await askStapleFunction(testbed, REFRESH)
    this.#note(PART.outage, said)
    if (said.certificates.some(({ failures = 0 }) => failures === 0))
      throw new RehearsalError('asked to refresh, the staple function does not say that no responder answers')
    await this.#seenByAll()
  }

  async #startResponder(): Promise<void> {
    const { testbed, progress } = this.#given
    this.#enter(PART.return)
    // Responses tell whole seconds.
    const since = Math.floor(Date.now() / 1000) * 1000
    await testbed.responder.start()
    progress.say('staples: the responder was started again')
    await this.#deliver(PART.return)
    this.#enter(PART.fresh, {}, since)
    await this.#seenByAll()
  }

  async #revoke(): Promise<void> {
    const { testbed, progress } = this.#given
    const [, ...others] = testbed.pki.certificates
    const outcomes = others.map(({ name, revoked }) => [name, AFTERWARDS[revoked]] as const)
    this.#enter(PART.revoking, Object.fromEntries(outcomes.map(([name, after]) => [name, ['good', after]])))
    for (const { name } of others) testbed.pki.revoke(name)
    // It looks into its index before it waits for a question, so the next one would be answered from the old one.
    await testbed.responder.stop()
    await testbed.responder.start()
    progress.say(`staples: ${others.map(({ serverName }) => serverName).join(' and ')} were revoked`)
    await this.#deliver(PART.revoking)
    this.#enter(PART.revoked, Object.fromEntries(outcomes.map(([name, after]) => [name, [after]])))
    await this.#seenByAll()
  }

  /** What clients may be given from now on: good staples, but for those named. */
  #enter(
    name: string,
    outcomes: Readonly<Record<string, readonly StapleOutcome[]>> = {},
    since?: number,
  ): void {
    const { testbed, clients } = this.#given
    const expected = testbed.pki.certificates.map(({ name: certificate }): [string, Expectation] => {
      const allowed = { outcomes: outcomes[certificate] ?? ['good'] }
      return [certificate, since === undefined ? allowed : { ...allowed, since }]
    })
    this.#part = name
    clients.enter({ name, expected: Object.fromEntries(expected) })
  }

  async #seenByAll(): Promise<void> {
    const { clients } = this.#given
    const rounds = () => clients.staples.phases[this.#part]?.rounds ?? 0
    await this.#until(
      () => 'the clients have seen every staple',
      async () => rounds() > 0,
    )
  }

  /** Has the function refresh by hand, and waits until the whole fleet has what came of it. */
  async #deliver(part: string): Promise<void> {
    const { testbed } = this.#given
    const asked = await askStapleFunction(testbed, REFRESH)
    this.#note(part, asked)
    let { delivery, fleet } = asked
    const wanted = () => {
      const missing = fleet.stragglers.map(({ id, reason }) => `${id}: ${reason}`)
      return ['every machine holds the new staples', delivery.reason, ...missing].join('\n')
    }
    await this.#until(wanted, async () => {
      if (delivery.action === 'rest' && fleet.confirmed === testbed.stapled.length) return true
      ;({ delivery, fleet } = await askStapleFunction(testbed, STATUS))
      return false
    })
    // nginx's old worker processes still answer for a moment.
    await pause(DRAINING)
  }

  #note(when: string, { certificates }: StapleStatus): void {
    this.said.push({ when, words: certificates.map(wordsOn) })
  }

  async #until(what: () => string, isSo: () => Promise<boolean>): Promise<void> {
    const { signal } = this.#given
    const deadline = Date.now() + PATIENCE
    while (!(await isSo())) {
      signal.throwIfAborted()
      if (Date.now() > deadline)
        throw new RehearsalError(`after ${PATIENCE / 1000} s it is still not so that ${what()}`)
      await pause(LOOK_EVERY)
    }
  }
}
