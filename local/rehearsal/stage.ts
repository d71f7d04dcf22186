import { readContext, type Synthesis, type SynthesisedRing, synthesise } from '../../infra/build-app.ts'
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
import type { Machine } from './machine.ts'
import type { Options } from './options.ts'
import { Override, type Pace } from './pace.ts'
import { makePki, type Pki } from './pki.ts'
import { RingWatch } from './ring-watch.ts'
import type { Running } from './running.ts'
import type { Seed } from './seed.ts'
import { ExecTrace } from './trace.ts'
import { forgetDisk, forgetMemory, openWorkspace, type Workspace } from './workspace.ts'

/** What a rehearsal plays on: the deployed stack, and the machines with their servers. */
export class Stage {
  readonly workspace: Workspace
  readonly pki: Pki
  readonly ring: SynthesisedRing
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
    this.aws = parts.aws
    this.override = parts.override
    this.pace = parts.pace
    this.trace = parts.trace
    this.machines = parts.machines
    const { arn } = this.secret
    this.watch = new RingWatch(this.aws, { ring: this.ring.name, secret: arn }, Date.now)
  }

  /** Synthesises the stack and starts the loopback AWS from it; no machine runs yet. */
  static async build(run: string, fleet: Options['fleet'], pace: Pace, seed: Seed): Promise<Stage> {
    const workspace = openWorkspace(run)
    try {
      const { template, assembly, rings } =
        seed.synthesis ?? synthesiseFor(fleet, `${workspace.disk}/cdk.out`)
      const ring = rings[0] as SynthesisedRing
      const pki = makePki(workspace.disk)
      const machines = await planFleet(fleet, { name: ring.name, ...ring.rotation }, pki, workspace)
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
      return new Stage({ workspace, pki, ring, aws, override, pace, trace, machines })
    } catch (error) {
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

  /** The first tick after a deploy: it makes generation 1. */
  async tickOnce(): Promise<void> {
    for (const schedule of this.#schedules('tick')) await schedule.fire()
  }

  runSchedules(): void {
    for (const schedule of this.aws.schedules) schedule.resume()
  }

  /** From now on the ring changes only when somebody asks: functions have their configured interval, the tick goes on. */
  comeToRest(): void {
    for (const schedule of this.#schedules('rotation')) schedule.pause()
    this.override.settle()
    this.aws.retime()
  }

  #schedules(kind: 'tick' | 'rotation') {
    const isTick = ({ period }: { readonly period: number }) => period === this.pace.tick
    return this.aws.schedules.filter((each) => each.kind === 'schedule' && isTick(each) === (kind === 'tick'))
  }

  /**
   * Brings one machine up as in the real world: it exists, its boot unit puts the ring in place, its terminator starts,
   * and only then is its agent online.
   */
  async bringUp(machine: Machine): Promise<void> {
    const { targets, fleetRoles, name } = this.ring
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
    await boot(machine, name, instance.environment, this.trace)
    this.servers.push(await startServer(machine, this.trace))
    instance.restore()
  }

  /** How to reach all this from outside. */
  describe(): Running {
    const { endpoint, region, operator } = this.aws
    const { functionName } = this.ring
    return {
      aws: { endpoint, region, ...operator },
      functions: { rotate: functionName },
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
    await Promise.all(this.servers.map(stopServer))
    forgetMemory(this.workspace)
    if (!keepDisk) forgetDisk(this.workspace)
  }

  /** The last resort, when there is no time left to wait for anything. */
  abandon(): void {
    for (const { process } of this.servers) process.kill('SIGKILL')
    forgetMemory(this.workspace)
  }
}

const PARTS = ['workspace', 'pki', 'ring', 'aws', 'override', 'pace', 'trace', 'machines'] as const

/** cdk.json's own example configuration; a fleet smaller than its minInstances lowers that. */
export function synthesiseFor({ haproxy, nginx }: Options['fleet'], outdir: string): Synthesis {
  const { regions, rings, ...rest } = parseConfiguration(readContext().ticketring)
  const lowered = rings.map(({ targets, ...ring }) => ({
    ...ring,
    targets: { ...targets, minInstances: Math.min(targets.minInstances, haproxy + nginx) },
  }))
  return synthesise({ ...rest, rings: lowered, ...(regions.length > 0 ? { regions } : {}) }, outdir)
}

function named<T extends { readonly name: string }>(resources: readonly T[], name: string): T {
  const found = resources.find((resource) => resource.name === name)
  if (found === undefined) throw new Error(`The template has no resource ${name}`)
  return found
}
