import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { keysOf } from '../../lambda/core/ring.ts'
import type { Host } from './client-messages.ts'
import { Clients } from './clients.ts'
import { type Finding, KeySearch } from './key-search.ts'
import { HOME } from './layout.ts'
import type { Machine } from './machine.ts'
import type { Options } from './options.ts'
import { type Pace, SHOW } from './pace.ts'
import { placesOf } from './places.ts'
import type { Progress } from './progress.ts'
import { type RingView, SETTLING } from './promise.ts'
import type { HostReport, Report } from './report.ts'
import { announce, withdraw } from './running.ts'
import type { Seed } from './seed.ts'
import { Setback } from './setback.ts'
import { Stage } from './stage.ts'
import { type Tally, totalOf } from './tally.ts'
import { isUnderKey, keyNameOf } from './ticket.ts'
import { TLS_VERSIONS, visit } from './tls-client.ts'
import { type Evidence, problemsOf } from './verdict.ts'

export interface Rehearsing extends Options {
  readonly progress: Progress
  /** Ctrl-C. */
  readonly signal: AbortSignal
  readonly pace?: Pace
  readonly seed?: Seed
  /** Told the result as soon as there is one: with `keep` the rehearsal goes on. */
  readonly onResult?: (result: Result) => void
}

export interface Result {
  readonly report: Report
  /** Why the rehearsal is no success; empty where it is one. */
  readonly problems: readonly string[]
  /** What went wrong at the clients, one by one. */
  readonly incidents: readonly string[]
  readonly tally: Tally
  readonly findings: readonly Finding[]
  /** Execs whose arguments and environment were looked at. */
  readonly execs: number
  readonly stage: Stage
}

/** How often we look at what the loopback AWS knows (ms). */
const LOOK_EVERY = 40
/** Without an advance for so many intervals something is wrong: what there is, is judged. */
const STALLED = 6

/**
 * Rehearses: builds the stage, lets the schedules rotate the ring while clients come and go, and judges what they saw.
 * @throws Setback when it cannot go on; every process is ended and every folder but the logs' removed.
 */
export async function rehearse(options: Rehearsing): Promise<Result> {
  const { progress, fleet, pace = SHOW, seed = {} } = options
  progress.say('synthesising the stack from cdk.json, some seconds')
  const stage = await Stage.build(`${process.pid}-${randomBytes(3).toString('hex')}`, fleet, pace, seed)
  const abandon = () => stage.abandon()
  process.once('exit', abandon)
  const clients = new Clients()
  let ok = false
  try {
    const result = await new Rehearsal(stage, clients, options).run()
    ok = result.report.ok
    options.onResult?.(result)
    if (options.keep) await stayUp(stage, options)
    return result
  } catch (error) {
    if (error instanceof Setback) throw error.at(stage.workspace.disk)
    throw error
  } finally {
    await clients.stop()
    await stage.strike(!ok)
    process.off('exit', abandon)
  }
}

async function stayUp(stage: Stage, { signal, progress }: Rehearsing): Promise<void> {
  announce(stage.describe())
  try {
    progress.say('staying up until Ctrl-C: npm run invoke -- rotate \'{"action":"status"}\'')
    await pause(2 ** 31 - 1, undefined, { signal }).catch(() => {})
  } finally {
    withdraw()
  }
}

/** One run over a stage. */
class Rehearsal {
  readonly #stage: Stage
  readonly #clients: Clients
  readonly #options: Rehearsing
  readonly #startedAt = Date.now()
  #view: RingView | undefined
  #committedAt = Date.now()
  #announced = 0

  constructor(stage: Stage, clients: Clients, options: Rehearsing) {
    this.#stage = stage
    this.#clients = clients
    this.#options = options
  }

  async run(): Promise<Result> {
    const { progress, rotations, seed } = this.#options
    progress.say(`the stack runs on a loopback AWS at ${this.#stage.aws.endpoint}`)
    await this.#stage.tickOnce()
    const hasRing = () => this.#stage.watch.current !== undefined
    await this.#until('waiting for the first tick to make generation 1', 60, hasRing)
    await this.#raiseFleet()
    await seed?.onStart?.(this.#stage)
    this.#letClientsIn()
    await this.#rotate(rotations)
    await this.#comeToRest()
    progress.state('trying every retired ticket')
    const tally = await this.#clients.finish()
    const result = await this.#judge(tally)
    progress.end()
    return result
  }

  async #raiseFleet(): Promise<void> {
    const { progress } = this.#options
    for (const machine of this.#stage.machines) {
      this.#stopIfAsked()
      progress.state(`booting ${machine.server} on ${machine.id}`)
      await this.#stage.bringUp(machine)
      const behind = machine.proxyProtocol ? ', behind PROXY protocol' : ''
      progress.say(
        `${machine.id} up: ${machine.server} on port ${machine.publicPort}${behind}, ${machine.agent} agent`,
      )
    }
    this.#stage.runSchedules()
    await this.#until('waiting for the fleet to confirm generation 1', 60, () =>
      this.#stage.watch.isConverged(this.#stage.ids),
    )
  }

  #letClientsIn(): void {
    const { pace = SHOW } = this.#options
    this.#clients.start(
      this.#stage.machines.map(hostOf),
      this.#stage.pki.authority,
      pace.ticketLifetime * 1000,
    )
    if (this.#view !== undefined) this.#clients.see(this.#view)
  }

  async #rotate(rotations: number): Promise<void> {
    const { pace = SHOW, seed } = this.#options
    const generation = () => this.#stage.watch.current?.generation ?? 0
    const target = rotations + 1
    const isStalled = () => Date.now() - this.#committedAt > STALLED * pace.every * 1000
    while (generation() < target && !isStalled() && seed?.isEnough?.(this.#clients.tally) !== true) {
      await this.#step(
        () => `generation ${generation()} of ${target}${this.#view?.delivering ? ', delivering' : ''}`,
      )
    }
  }

  /** The functions get their configured interval back, and the last generation its convergence. */
  async #comeToRest(): Promise<void> {
    const { watch, ids } = this.#stage
    this.#stage.comeToRest()
    const deadline = Date.now() + 60_000
    const isMoving = () => !watch.isConverged(ids) || this.#view?.delivering !== false
    while (isMoving() && Date.now() < deadline) await this.#step(() => 'waiting for the last confirmation')
    const settled = Date.now() + SETTLING + 200
    while (Date.now() < settled) await this.#step(() => 'letting old worker processes leave')
  }

  /** One look at what is, told to the clients and to whoever watches. */
  async #step(state: () => string): Promise<void> {
    this.#stopIfAsked()
    const view = this.#stage.watch.look(this.#stage.ids)
    if (JSON.stringify(view) !== JSON.stringify(this.#view)) {
      if (view.committed !== this.#view?.committed) this.#committedAt = Date.now()
      this.#view = view
      this.#clients.see(view)
      await this.#noteConvergence(view)
    }
    this.#options.progress.state(`${state()}: ${this.#score()}`)
    await pause(LOOK_EVERY)
  }

  async #noteConvergence({ committed, confirmed }: RingView): Promise<void> {
    if (confirmed < committed || confirmed <= this.#announced) return
    this.#announced = confirmed
    const name = this.#stage.watch.current?.current.name.slice(0, 8)
    const took = ((Date.now() - this.#committedAt) / 1000).toFixed(1)
    const members = this.#stage.machines.length
    this.#options.progress.say(
      `generation ${confirmed}: all ${members} machines encrypt with ${name}… after ${took} s; ${this.#score()}`,
    )
    await this.#options.seed?.onConverged?.(this.#stage, confirmed)
  }

  #score(): string {
    const { tried, reused, lost, failed } = totalOf(this.#clients.tally)
    const { retired } = this.#clients.tally
    const bad = failed === 0 ? '' : `, ${failed} failed`
    return `${tried} tried, ${reused} reused, ${lost} lost${bad}; ${retired.tried} retired, ${retired.accepted} accepted`
  }

  /** @throws Setback when it takes longer than `seconds`. */
  async #until(what: string, seconds: number, isSo: () => boolean): Promise<void> {
    const deadline = Date.now() + seconds * 1000
    while (!isSo()) {
      if (Date.now() > deadline)
        throw new Setback(`${what}: still so after ${seconds} s. ${this.#lastWords()}`)
      await this.#step(() => what)
    }
  }

  #stopIfAsked(): void {
    if (this.#options.signal.aborted) throw new Setback('Interrupted')
  }

  /** What the functions and the instances said last, to explain a stall. */
  #lastWords(): string {
    const { logs, commands } = this.#stage.aws.history
    const said = logs.slice(-3).map(({ text }) => text.trim())
    const results = (commands.at(-1)?.invocations ?? []).map(({ instance, stdout, stderr }) => {
      return `${instance}: ${stdout.trim() || stderr.trim()}`
    })
    return [...said, ...results].join('\n')
  }

  async #judge(tally: Tally): Promise<Result> {
    const { progress, rotations, fleet } = this.#options
    const { watch, trace, machines, aws } = this.#stage
    const generation = watch.current?.generation ?? 0
    progress.state('looking at each machine')
    const hosts = await this.#lookAtHosts()
    const status = await this.#askStatus()
    progress.state('searching for key bytes')
    const traced = trace.collect(true)
    const findings = this.#search(traced)
    const evidence: Evidence = {
      wanted: { rotations, members: fleet.haproxy + fleet.nginx },
      rotations: generation - 1,
      generation,
      hosts,
      tally,
      pairs: pairsOf(machines),
      ...this.#proveLayouts(),
      status,
      findings,
      execs: trace.execs,
      failures: failuresOf(aws),
    }
    const problems = problemsOf(evidence)
    const { resumption, retired } = tally
    const report: Report = {
      ok: problems.length === 0,
      rotations: evidence.rotations,
      generation,
      hosts,
      resumption,
      retired,
      apiCalls: aws.apiCalls(),
      keyBytesFound: findings.length,
    }
    return {
      report,
      problems,
      incidents: this.#clients.incidents,
      tally,
      findings,
      execs: trace.execs,
      stage: this.#stage,
    }
  }

  #search(traced: Parameters<typeof placesOf>[1]): readonly Finding[] {
    const { aws, workspace, watch } = this.#stage
    const folders = [workspace.disk, ...new Set([HOME, process.cwd()])]
    return new KeySearch(watch.rings.values()).findings(placesOf(aws, traced, folders, this.#startedAt))
  }

  async #lookAtHosts(): Promise<readonly HostReport[]> {
    const { machines, watch } = this.#stage
    const generations = watch.look(this.#stage.ids).encryptsIn
    return Promise.all(
      machines.map(async (machine) => {
        const names = await Promise.all(TLS_VERSIONS.map((version) => this.#keyNameAt(machine, version)))
        const [encryptsWith = ''] = names
        const generation = new Set(names).size === 1 ? (generations[encryptsWith] ?? 0) : 0
        const { id, server, plainPort } = machine
        return { id, server, address: `127.0.0.1:${plainPort}`, generation, encryptsWith }
      }),
    )
  }

  /** Empty where the machine gives no ticket. */
  async #keyNameAt(machine: Machine, version: (typeof TLS_VERSIONS)[number]): Promise<string> {
    const target = { ...hostOf(machine), port: machine.plainPort, proxyProtocol: false }
    const { ticket } = await visit(target, { authority: this.#stage.pki.authority, version }).catch(() => ({
      ticket: undefined,
    }))
    return ticket === undefined ? '' : keyNameOf(ticket)
  }

  async #askStatus(): Promise<Evidence['status']> {
    const { aws, ring } = this.#stage
    const { payload, functionError } = await aws.invoke(ring.functionName, { action: 'status' })
    if (functionError !== undefined) return undefined
    return (payload as { fleet?: { members: number; confirmed: number } }).fleet
  }

  /** The MAC of each machine's tickets, under the keys as the secret holds them. */
  #proveLayouts(): Pick<Evidence, 'misread' | 'proved'> {
    const rings = [...this.#stage.watch.rings.values()]
    const keys = new Map(rings.flatMap(keysOf).map((key) => [key.name, key]))
    const misread = this.#clients.samples.filter(({ ticket }) => {
      const key = keys.get(keyNameOf(ticket))
      return key === undefined || !isUnderKey(ticket, key)
    })
    return { misread: [...new Set(misread.map(({ host }) => host))], proved: this.#clients.samples.length }
  }
}

function hostOf({ id, server, publicPort, proxyProtocol, pki }: Machine): Host {
  return { id, server, port: publicPort, proxyProtocol, serverName: pki.serverName }
}

/** Every ordered pair of machines of one kind, each with itself too, as the tally names them. */
function pairsOf(machines: readonly Machine[]): readonly string[] {
  return machines.flatMap((from) =>
    machines
      .filter((to) => to.server === from.server)
      .flatMap((to) => TLS_VERSIONS.map((version) => `${from.id} ${to.id} ${version}`)),
  )
}

function failuresOf({ history }: Stage['aws']): readonly string[] {
  const denied = history.calls
    .filter(
      ({ kind, error }) => (kind === 'function' || kind === 'instance') && error === 'AccessDeniedException',
    )
    .map(({ operation, principal }) => `${principal} was denied ${operation}`)
  const given = history.failedEvents.map(({ source }) => `an event of ${source} failed and was given up`)
  return [...new Set([...denied, ...given])]
}
