import {
  readContext,
  type Synthesis,
  type SynthesisedRing,
  type SynthesisedSet,
  synthesise,
} from '../../infra/build-app.ts'
import { parseConfiguration } from '../../infra/configuration.ts'
import { type Instance, type LoopbackAws, startLoopbackAws } from '../aws/loopback.ts'
import {
  boot,
  environmentOf,
  planFleet,
  type RunningServer,
  startServer,
  stopServer,
  terminatorOf,
} from './fleet.ts'
import { SCRIPT, STAPLE_SCRIPT } from './layout.ts'
import type { Machine } from './machine.ts'
import type { Options } from './options.ts'
import { isOfStaples, Override, type Pace, RESPONSE_MINUTES } from './pace.ts'
import { makePki, type Pki } from './pki.ts'
import { freePorts } from './ports.ts'
import { Responder, urlOfResponder } from './responder.ts'
import { RingWatch } from './ring-watch.ts'
import type { Running } from './running.ts'
import type { Seed } from './seed.ts'
import { Setback } from './setback.ts'
import { publishChains, stapled } from './staple-set.ts'
import { ExecTrace } from './trace.ts'
import { forgetDisk, forgetMemory, openWorkspace, type Workspace } from './workspace.ts'

/** What a rehearsal plays on: the deployed stack, and the machines with their servers. */
export class Stage {
  readonly workspace: Workspace
  readonly pki: Pki
  readonly ring: SynthesisedRing
  readonly set: SynthesisedSet
  readonly responder: Responder
  readonly aws: LoopbackAws
  readonly override: Override
  readonly pace: Pace
  readonly trace: ExecTrace
  readonly watch: RingWatch
  readonly machines: readonly Machine[]
  readonly instances: Instance[] = []
  readonly servers: RunningServer[] = []

  private constructor(parts: Pick<Stage, (typeof PARTS)[number]>) {
    this.workspace = parts.workspace
    this.pki = parts.pki
    this.ring = parts.ring
    this.set = parts.set
    this.responder = parts.responder
    this.aws = parts.aws
    this.override = parts.override
    this.pace = parts.pace
    this.trace = parts.trace
    this.machines = parts.machines
    const { name, document } = this.ring
    const watched = { ring: name, secret: this.secret.arn, document: document.name }
    this.watch = new RingWatch(this.aws, watched, Date.now)
  }

  /** Synthesises the stack and starts the loopback AWS from it; no machine runs yet. */
  static async build(run: string, fleet: Options['fleet'], pace: Pace, seed: Seed): Promise<Stage> {
    const workspace = openWorkspace(run)
    const [port] = (await freePorts(1)) as [number]
    let responder: Responder | undefined
    try {
      const { template, assembly, rings, stapling } =
        seed.synthesis ?? synthesiseFor(fleet, `${workspace.disk}/cdk.out`)
      const [ring, set] = [rings[0], stapling[0]] as [SynthesisedRing, SynthesisedSet]
      const pki = makePki(workspace.disk, urlOfResponder(port))
      responder = new Responder({
        files: pki.responder,
        port,
        minutes: RESPONSE_MINUTES,
        log: `${workspace.disk}/responder.log`,
      })
      await responder.start()
      const ofRing = { name: ring.name, ...ring.rotation }
      const machines = await planFleet(fleet, ofRing, pki, workspace, {
        name: set.name,
        store: set.storePath,
      })
      const trace = new ExecTrace(workspace.traces)
      const override = new Override(pace, seed.durations)
      const aws = await startLoopbackAws({
        template: seed.template?.(template) ?? template,
        assembly,
        timing: override,
        // Nothing rotates before there is a fleet.
        schedules: 'paused',
        wrapFunction: (argv, name) => trace.wrap(argv, `function ${name}`),
      })
      await publishChains(aws, pki)
      return new Stage({ workspace, pki, ring, set, responder, aws, override, pace, trace, machines })
    } catch (error) {
      await responder?.stop()
      forgetMemory(workspace)
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

  /** The first ticks after a deploy: they make generation 1, and fetch the first staples. */
  async tickOnce(): Promise<void> {
    for (const schedule of this.#schedules('tick')) await schedule.fire()
  }

  runSchedules(): void {
    for (const schedule of this.aws.schedules) schedule.resume()
  }

  /** From now on what is there changes only when somebody asks: functions have their configured intervals, ticks go on. */
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
      period === this.pace.tick || isOfStaples(name)
    return this.aws.schedules.filter((each) => each.kind === 'schedule' && isTick(each) === (kind === 'tick'))
  }

  /**
   * Brings one machine up as in the real world: it exists, its boot units put ring and staples in place, its terminator
   * starts, and only then is its agent online.
   */
  async bringUp(machine: Machine): Promise<void> {
    const { targets, fleetRoles, name } = this.ring
    const units = [
      { script: SCRIPT, name },
      { script: STAPLE_SCRIPT, name: this.set.name },
    ]
    const instance = this.aws.join({
      id: machine.id,
      tags: { [targets.tag]: targets.values[0] as string },
      role: fleetRoles[0] as string,
      agent: machine.agent,
      environment: environmentOf(machine),
      workdir: `${machine.directory}/orchestration`,
      wrap: (argv) => this.trace.wrap(argv, `script on ${machine.id}`),
    })
    instance.lose()
    this.instances.push(instance)
    for (const unit of units) await boot(machine, unit, instance.environment, this.trace)
    this.servers.push(await startServer(machine, this.trace))
    instance.restore()
  }

  /** How to reach all this from outside. */
  describe(): Running {
    const { endpoint, region, operator } = this.aws
    return {
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
    await this.aws.close()
    await this.responder.stop()
    await Promise.all(this.servers.map(stopServer))
    forgetMemory(this.workspace)
    if (!keepDisk) forgetDisk(this.workspace)
  }

  /** The last resort, when there is no time left to wait for anything. */
  abandon(): void {
    for (const { process } of this.servers) process.kill('SIGKILL')
    this.responder.abandon()
    forgetMemory(this.workspace)
  }
}

const PARTS = [
  'workspace',
  'pki',
  'ring',
  'set',
  'responder',
  'aws',
  'override',
  'pace',
  'trace',
  'machines',
] as const

/** What cdk.json configures, with the show's certificates; a smaller fleet lowers its minInstances. */
export function synthesiseFor({ haproxy, nginx }: Options['fleet'], outdir: string): Synthesis {
  const { regions, rings, stapling, ...rest } = parseConfiguration(readContext().ticketring)
  const lowered = rings.map(({ targets, ...ring }) => ({
    ...ring,
    targets: { ...targets, minInstances: Math.min(targets.minInstances, haproxy + nginx) },
  }))
  const [ring] = lowered
  if (ring === undefined) throw new Setback('cdk.json configures no ring', 'Put one into its context')
  const configuration = { ...rest, rings: lowered, stapling: [stapled(ring, stapling[0])] }
  return synthesise({ ...configuration, ...(regions.length > 0 ? { regions } : {}) }, outdir)
}

function named<T extends { readonly name: string }>(resources: readonly T[], name: string): T {
  const found = resources.find((resource) => resource.name === name)
  if (found === undefined) throw new Error(`The template has no resource ${name}`)
  return found
}
