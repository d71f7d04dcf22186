import type { EventLog } from '../../lambda/fleet/ports.ts'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import type { StapleAnswer } from '../../lambda/staples/answer.ts'
import type {
  CertificateSetting,
  ChainSource,
  StapleConfiguration,
} from '../../lambda/staples/configuration.ts'
import {
  certificateIdOf,
  parseEntry,
  type StapleEntry,
  type StoredResponse,
  serialiseEntry,
} from '../../lambda/staples/entry.ts'
import type { Responders, StapleEvent, StaplePorts } from '../../lambda/staples/ports.ts'
import { parseStapleRequest } from '../../lambda/staples/request.ts'
import { type ExplainAnswer, runStaples } from '../../lambda/staples/run.ts'
import { seededChance } from './chance.ts'
import { ManualClock } from './clock.ts'
import { MemoryRecord } from './record.ts'
import { Authority, ago, type LeafSpec, RESPONDER } from './staple-authority.ts'
import { STAPLE_SCRIPT, StapleFleet, StapleMachine } from './staple-fleet.ts'
import { MemoryStaples } from './staple-store.ts'

export const STAPLE_TIMING = { tick: 900, least: 3600, most: 86_400, delivery: 120, execution: 120 }

export function settingOf(name: string, changes: Partial<CertificateSetting> = {}): CertificateSetting {
  return {
    name,
    chain: { parameter: `/tls/${name}/chain` },
    hash: 'sha1',
    revoked: 'staple',
    mustStaple: 'withdraw',
    ...changes,
  }
}

export function stapleConfigurationOf(changes: Partial<StapleConfiguration> = {}): StapleConfiguration {
  return {
    set: 'edge',
    certificates: [],
    document: { name: 'ticketring-staples-edge-0123456789ab', version: '1', script: STAPLE_SCRIPT },
    target: { tag: 'ticketring', values: ['edge'] },
    store: '/ticketring/staples/edge',
    record: '/ticketring/edge/staples',
    timing: STAPLE_TIMING,
    haproxy: true,
    allow: [],
    ...changes,
  }
}

/** Keeps what was recorded. */
class StapleLog implements EventLog<StapleEvent> {
  readonly entries: StapleEvent[] = []

  record(entry: StapleEvent): void {
    this.entries.push(entry)
  }

  of<K extends StapleEvent['kind']>(kind: K): Extract<StapleEvent, { kind: K }>[] {
    return this.entries.filter((entry): entry is Extract<StapleEvent, { kind: K }> => entry.kind === kind)
  }
}

/** The whole staple story over fakes: one authority, one store, one fleet, one clock. */
export class StapleWorld {
  readonly clock = new ManualClock()
  readonly authority = new Authority(() => this.clock.now())
  readonly chains = new Map<string, string>()
  readonly store = new MemoryStaples()
  readonly record = new MemoryRecord()
  readonly fleet = new StapleFleet()
  readonly eventLog = new StapleLog()
  readonly chance = seededChance('staples')
  configuration = stapleConfigurationOf()
  responders: Responders = this.authority

  constructor(machines: readonly string[] = ['i-1', 'i-2']) {
    for (const id of machines) this.join(id)
  }

  join(id: string): StapleMachine {
    const machine = new StapleMachine(id, this.store)
    this.fleet.machines.push(machine)
    return machine
  }

  /** Puts a certificate of the authority into the set. */
  add(name: string, setting: Partial<CertificateSetting> = {}, leaf: LeafSpec = {}): void {
    this.chains.set(`/tls/${name}/chain`, this.authority.issue(name, leaf))
    this.configure({ certificates: [...this.configuration.certificates, settingOf(name, setting)] })
  }

  configure(changes: Partial<StapleConfiguration>): void {
    this.configuration = { ...this.configuration, ...changes }
  }

  ports(): StaplePorts {
    const { configuration, store, responders, clock, chance, eventLog } = this
    const read = async (sources: readonly ChainSource[]) => sources.map((source) => this.#chain(source))
    const [records, inventory, sender] = [this.record, this.fleet, this.fleet]
    return {
      configuration,
      chains: { read },
      store,
      responders,
      records,
      inventory,
      sender,
      clock,
      chance,
      eventLog,
    }
  }

  async invoke(event: unknown, ports: StaplePorts = this.ports()): Promise<StapleAnswer> {
    const request = parseStapleRequest(event)
    this.clock.allow(300_000)
    return (await runStaples(ports, request)) as StapleAnswer
  }

  async explain(certificate: string, response?: Uint8Array): Promise<ExplainAnswer> {
    const given = response === undefined ? {} : { response: Buffer.from(response).toString('base64') }
    const answer = await this.invoke({ action: 'explain', certificate, ...given })
    return answer as unknown as ExplainAnswer
  }

  refresh(extra: object = {}): Promise<StapleAnswer> {
    return this.invoke({ action: 'refresh', ...extra })
  }

  /** Lets ticks run for as long as this. */
  async pass(seconds: number): Promise<void> {
    const end = this.clock.now().getTime() + seconds * 1000
    while (this.clock.now().getTime() < end) {
      this.clock.advance(this.configuration.timing.tick)
      await this.refresh()
    }
  }

  /** Has the store hold a good response about a certificate, from a day ago for these seconds, or as the changes say. */
  async hold(
    name: string,
    seconds: number,
    changes: Partial<StapleEntry> = {},
    response: Partial<StoredResponse> = {},
  ): Promise<StapleEntry> {
    const now = this.clock.now()
    const [thisUpdate, nextUpdate] = [ago(now, 86_400), ago(now, -seconds)]
    const der = this.authority.say(name, { singles: [{ thisUpdate, nextUpdate }] })
    const facts = { status: 'good', haproxy: null, fetchedAt: thisUpdate, source: RESPONDER } as const
    const entry: StapleEntry = {
      name,
      id: this.id(name),
      state: 'staple',
      mustStaple: this.authority.leaves.get(name)?.mustStaple === true,
      response: { der, thisUpdate, nextUpdate, end: nextUpdate, ...facts, ...response },
      failures: 0,
      ...changes,
    }
    await this.store.write(entry.id, serialiseEntry(entry), this.store.versions.get(entry.id)?.length ?? 0)
    return entry
  }

  id(name: string): string {
    const leaf = this.authority.leaves.get(name)
    if (leaf === undefined) throw new RangeError(`no certificate ${name}`)
    return certificateIdOf(leaf)
  }

  entry(name: string): StapleEntry | undefined {
    const text = this.store.versions.get(this.id(name))?.at(-1)
    return text === undefined ? undefined : parseEntry(text)
  }

  metrics() {
    return this.eventLog.of('measured').at(-1)?.metrics
  }

  #chain(source: ChainSource): string | TicketringError {
    const name = 'parameter' in source ? source.parameter : source.secret
    return this.chains.get(name) ?? new TicketringError('chain-missing', { wanted: name, came: 'none' })
  }
}
