import type { Synthesis } from '../../infra/app/build-app.ts'
import type { SynthesisedRing, SynthesisedSet } from '../../infra/app/summary.ts'
import type { Instance, LoopbackAws } from '../aws/loopback.ts'
import { Scope } from '../scope.ts'
import { TLS_VERSIONS, type TlsVersion } from './clients/tls-client.ts'
import type { Faults } from './faults.ts'
import { Lifecycle } from './lifecycle.ts'
import { serverNameOf } from './machines/fleet.ts'
import { type Fleet, takesStaples, terminatorOf } from './machines/kinds.ts'
import type { Machine } from './machines/machine.ts'
import type { Pki } from './machines/pki.ts'
import type { RunningServer } from './machines/running-server.ts'
import type { Door, OwnConfigurations } from './own/own-configuration.ts'
import { RingAlarms } from './ring/ring-alarms.ts'
import { RingWatch } from './ring/ring-watch.ts'
import type { Running } from './running-rehearsal.ts'
import type { ExecTrace } from './secrecy/exec-trace.ts'
import type { Responder } from './staples/responder.ts'
import { startParts, type TestbedParts, type Wishes } from './testbed-parts.ts'
import { isOfStaples, type Override, type Timing } from './timing.ts'
import { forgetDisk, forgetMemory, openWorkspace, type Workspace } from './workspace.ts'

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
  readonly synthesis: Synthesis
  readonly override: Override
  readonly timing: Timing
  readonly trace: ExecTrace
  readonly secret: { readonly arn: string }
  readonly watch: RingWatch
  /** On the ring. */
  readonly alarms: RingAlarms
  readonly machines: readonly Machine[]
  /** One more, which is not there from the start; none unless it was asked for. */
  readonly spare: Machine | undefined
  readonly servers: RunningServer[]
  /** What the doors of machines with a configuration of the user's take, by machine, once they were asked. */
  doors: ReadonlyMap<string, readonly Door[]> = new Map()
  readonly lifecycle: Lifecycle

  private constructor(parts: TestbedParts) {
    this.workspace = parts.workspace
    this.scope = parts.scope
    this.pki = parts.pki
    this.ring = parts.ring
    this.set = parts.set
    this.responder = parts.responder
    this.aws = parts.aws
    this.synthesis = parts.synthesis
    this.override = parts.override
    this.timing = parts.timing
    this.trace = parts.trace
    this.machines = parts.machines
    this.spare = parts.spare
    this.servers = parts.servers
    this.lifecycle = new Lifecycle(parts)
    const { name, document } = this.ring
    this.secret = named(this.aws.resources.secrets, this.ring.secretName)
    const watched = { ring: name, secret: this.secret.arn, document: document.name }
    this.watch = new RingWatch(this.aws, watched, Date.now)
    this.alarms = new RingAlarms({ ...parts, history: this.aws.history }, Date.now)
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
    wishes: Wishes = {},
    own: OwnConfigurations = {},
  ): Promise<Testbed> {
    const workspace = openWorkspace()
    const scope = new Scope()
    const abandon = () => forgetDisk(workspace)
    process.once('exit', abandon)
    scope.defer(() => process.off('exit', abandon))
    scope.defer(() => forgetMemory(workspace))
    try {
      return new Testbed(await startParts({ workspace, scope, fleet, timing, faults, signal, wishes, own }))
    } catch (error) {
      await scope.close()
      forgetDisk(workspace)
      throw error
    }
  }

  /** The machines that are to have the ring: those of the fleet but for who left, and one more once it was launched. */
  get members(): readonly Machine[] {
    const more = this.spare !== undefined && this.lifecycle.isLaunched(this.spare) ? [this.spare] : []
    return [...this.machines.filter((machine) => !this.lifecycle.hasLeft(machine)), ...more]
  }

  /** Every machine that may ever be there. */
  get all(): readonly Machine[] {
    return this.spare === undefined ? this.machines : [...this.machines, this.spare]
  }

  get ids(): readonly string[] {
    return this.members.map(({ id }) => id)
  }

  /** The TLS versions in which the machine gives tickets. */
  versionsOf({ id }: Pick<Machine, 'id'>): readonly TlsVersion[] {
    const doors = this.doors.get(id)
    return TLS_VERSIONS.filter(
      (version) => doors === undefined || doors.some(({ versions }) => versions.includes(version)),
    )
  }

  /** Those of all members. */
  get versions(): readonly TlsVersion[] {
    return TLS_VERSIONS.filter((version) =>
      this.members.some((each) => this.versionsOf(each).includes(version)),
    )
  }

  get instances(): readonly Instance[] {
    return this.lifecycle.instances
  }

  /** The members that staple. */
  get stapled(): readonly Machine[] {
    return this.members.filter(takesStaples)
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

  /** Brings up a machine that is not there yet. */
  async bringUp(machine: Machine): Promise<void> {
    await this.lifecycle.bringUp(machine)
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
      instances: this.members.map((machine) => ({
        id: machine.id,
        server: machine.server,
        address: `127.0.0.1:${machine.plainPort}`,
        serverName: serverNameOf(machine),
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
