import { setTimeout as pause } from 'node:timers/promises'
import type { SynthesisedRing, SynthesisedSet } from '../../infra/app/summary.ts'
import type { Instance, LoopbackAws } from '../aws/loopback.ts'
import { Scope } from '../scope.ts'
import type { Faults } from './faults.ts'
import { furnish, type TestbedParts } from './furnishing.ts'
import { boot, commandsOf, environmentOf, hasPrograms } from './machines/fleet.ts'
import { type Fleet, isStapled, terminatorOf } from './machines/kinds.ts'
import type { Machine } from './machines/machine.ts'
import type { Pki } from './machines/pki.ts'
import { type RunningServer, startServer } from './machines/running-server.ts'
import { RehearsalError } from './rehearsal-error.ts'
import { RingWatch } from './ring/ring-watch.ts'
import type { Running } from './running-rehearsal.ts'
import type { ExecTrace } from './secrecy/trace.ts'
import type { Responder } from './staples/responder.ts'
import { isOfStaples, type Override, type Timing } from './timing.ts'
import { forgetDisk, forgetMemory, openWorkspace, type Workspace } from './workspace.ts'

/** Milliseconds within which a machine has to be served by its associations, on a busy processor too. */
const FIRST_CONTACT = 60_000

/** What a rehearsal plays on: the deployed stack, and the machines with their servers. */
export class Testbed implements TestbedParts {
  readonly workspace: Workspace
  /** Closes what is open. */
  readonly scope: Scope
  readonly pki: Pki
  readonly ring: SynthesisedRing
  readonly set: SynthesisedSet
  readonly responder: Responder
  readonly aws: LoopbackAws
  readonly override: Override
  readonly timing: Timing
  readonly trace: ExecTrace
  readonly watch: RingWatch
  readonly machines: readonly Machine[]
  readonly instances: Instance[] = []
  readonly servers: RunningServer[]

  private constructor(parts: TestbedParts) {
    this.workspace = parts.workspace
    this.scope = parts.scope
    this.pki = parts.pki
    this.ring = parts.ring
    this.set = parts.set
    this.responder = parts.responder
    this.aws = parts.aws
    this.override = parts.override
    this.timing = parts.timing
    this.trace = parts.trace
    this.machines = parts.machines
    this.servers = parts.servers
    const { name, document } = this.ring
    const watched = { ring: name, secret: this.secret.arn, document: document.name }
    this.watch = new RingWatch(this.aws, watched, Date.now)
  }

  /**
   * Synthesises the stack and starts the loopback AWS from it; no machine runs yet.
   * @throws RehearsalError once `signal` is aborted; nothing is left of what was begun.
   */
  static async build(
    fleet: Fleet,
    timing: Timing,
    faults: Faults,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Testbed> {
    const workspace = openWorkspace()
    const scope = new Scope()
    const abandon = () => forgetDisk(workspace)
    process.once('exit', abandon)
    scope.defer(() => process.off('exit', abandon))
    scope.defer(() => forgetMemory(workspace))
    try {
      return new Testbed(await furnish({ workspace, scope, fleet, timing, faults, signal }))
    } catch (error) {
      await scope.close()
      forgetDisk(workspace)
      throw error
    }
  }

  get secret(): { readonly arn: string } {
    return named(this.aws.resources.secrets, this.ring.secretName)
  }

  get ids(): readonly string[] {
    return this.machines.map(({ id }) => id)
  }

  /** The machines that staple. */
  get stapled(): readonly Machine[] {
    return this.machines.filter(({ server }) => isStapled(server))
  }

  /** The first ticks after a deploy: they make generation 1, and fetch the first staples. */
  async tickOnce(): Promise<void> {
    for (const schedule of this.#schedules('tick')) await schedule.fire()
  }

  runSchedules(): void {
    for (const schedule of this.aws.schedules) schedule.resume()
  }

  /** From now on what is there changes only when a user asks: functions have their configured intervals, ticks go on. */
  comeToRest(): void {
    for (const schedule of this.#schedules('rotation')) schedule.pause()
    this.override.settle()
    this.aws.retime()
  }

  /** Nothing begins any more, and what was begun comes to its end: what is looked at then is not half done. */
  async standStill(): Promise<void> {
    for (const schedule of this.aws.schedules) schedule.pause()
    await this.aws.idle()
  }

  /** After {@link standStill}, as after {@link comeToRest}. */
  tickOn(): void {
    const rotations = this.#schedules('rotation')
    for (const schedule of this.aws.schedules) if (!rotations.includes(schedule)) schedule.resume()
  }

  #schedules(kind: 'tick' | 'rotation') {
    const isTick = ({ period, name }: { readonly period: number; readonly name: string }) =>
      period === this.timing.tick || isOfStaples(name)
    return this.aws.schedules.filter((each) => each.kind === 'schedule' && isTick(each) === (kind === 'tick'))
  }

  /**
   * Brings one machine up as in the real world: its associations install the program and put the files in place, it
   * restarts, its boot units do that again, its terminator starts, and only then is its agent online.
   */
  async bringUp(machine: Machine): Promise<void> {
    const { fleetRoles } = this.ring
    const instance = this.aws.join({
      id: machine.id,
      tags: this.#tagsOf(machine),
      role: fleetRoles[0] as string,
      agent: machine.agent,
      environment: environmentOf(machine),
      workdir: `${machine.directory}/orchestration`,
      wrap: (argv) => this.trace.wrap(argv, `program on ${machine.id}`),
    })
    this.instances.push(instance)
    await this.#firstContact(machine)
    instance.lose()
    for (const command of commandsOf(machine)) {
      const { name } = command === 'ring' ? this.ring : this.set
      await boot(machine, [command, name], instance.environment, this.trace)
    }
    this.servers.push(await startServer(machine, this.trace))
    instance.restore()
  }

  /** A ring and a set have one tag, or a fleet some machines that only the ring is for. */
  #tagsOf({ server }: Machine): Readonly<Record<string, string>> {
    const told = isStapled(server) ? [this.ring, this.set] : [this.ring]
    return Object.fromEntries(told.map(({ targets: { tag, values } }) => [tag, values[0] as string]))
  }

  /** A machine that registers is served by its associations at once, though nothing serves there yet. */
  async #firstContact(machine: Machine): Promise<void> {
    const { associations } = this.aws.history
    for (let waited = 0; waited < FIRST_CONTACT; waited += 50) {
      const ended = associations.filter((each) => each.instance === machine.id && each.endedAt !== undefined)
      if (ended.length >= commandsOf(machine).length && hasPrograms(machine)) return
      await pause(50)
    }
    const said = associations
      .filter((each) => each.instance === machine.id)
      .map(({ stdout }) => stdout.trim())
    throw new RehearsalError(
      `${machine.id} was not served by its associations within ${FIRST_CONTACT / 1000} s: ${said.join(' ')}`,
      `What they printed is below ${machine.directory}`,
    )
  }

  /** How to reach all this from outside. */
  describe(): Running {
    const { endpoint, region, operator } = this.aws
    return {
      pid: process.pid,
      aws: { endpoint, region, ...operator },
      functions: {
        rotate: this.ring.functionName,
        staple: this.set.functionName,
        status: this.ring.statusName,
        'staple-status': this.set.statusName,
      },
      secret: this.secret.arn,
      instances: this.machines.map((machine) => ({
        id: machine.id,
        server: machine.server,
        address: `127.0.0.1:${machine.plainPort}`,
        serverName: machine.pki.serverName,
        keyFiles: terminatorOf(machine).keyFiles(machine),
      })),
    }
  }

  /** Ends every process and forgets what was in memory; the folder on disk stays where `keepDisk` says so. */
  async strike(keepDisk: boolean): Promise<void> {
    await this.scope.close()
    if (!keepDisk) forgetDisk(this.workspace)
  }
}

function named<T extends { readonly name: string }>(resources: readonly T[], name: string): T {
  const found = resources.find((resource) => resource.name === name)
  if (found === undefined) throw new Error(`The template has no resource ${name}`)
  return found
}
