import type { Synthesis } from '../../infra/app/build-app.ts'
import { STACK_NAME } from '../../infra/app/stack-names.ts'
import type { SynthesisedRing, SynthesisedSet } from '../../infra/app/summary.ts'
import { type LoopbackAws, startLoopbackAws } from '../aws/loopback.ts'
import type { Scope } from '../scope.ts'
import type { Faults } from './faults.ts'
import { planFleet } from './machines/fleet.ts'
import { type Fleet, type Kind, kindsOf } from './machines/kinds.ts'
import type { Machine } from './machines/machine.ts'
import { amendSettings } from './machines/own-settings.ts'
import { makePki, type Pki } from './machines/pki.ts'
import { freePorts } from './machines/ports.ts'
import { type RunningServer, stopServer } from './machines/running-server.ts'
import { startBackend } from './own/backend.ts'
import { type OwnConfigurations, serversOf } from './own/own-configuration.ts'
import { stopIfAsked } from './rehearsal-error.ts'
import { ExecTrace } from './secrecy/exec-trace.ts'
import type { StackWishes } from './stack-plan.ts'
import { Responder, urlOfResponder } from './staples/responder.ts'
import { publishChains } from './staples/staple-set.ts'
import { stackFor } from './synthesis.ts'
import { Override, RESPONSE_MINUTES, type Timing } from './timing.ts'
import type { Workspace } from './workspace.ts'

/** What a testbed consists of. */
export interface TestbedParts {
  readonly workspace: Workspace
  /** Closes what is open. */
  readonly scope: Scope
  readonly pki: Pki
  readonly ring: SynthesisedRing
  readonly set: SynthesisedSet
  readonly responder: Responder
  readonly aws: LoopbackAws
  /** What is deployed, and what watches it. */
  readonly synthesis: Synthesis
  readonly override: Override
  readonly timing: Timing
  readonly trace: ExecTrace
  readonly machines: readonly Machine[]
  readonly spare: Machine | undefined
  /** Those that run; all of them are stopped with the scope. */
  readonly servers: RunningServer[]
}

/** What a scene needs beyond its fleet. */
export interface Wishes {
  /** One machine more, of the first kind, for later. */
  readonly spare?: boolean
  /** Open and guarded listeners share the ring. */
  readonly guarded?: boolean
  /** Each new generation goes to one machine first. */
  readonly canary?: boolean
}

interface Wanted {
  readonly workspace: Workspace
  readonly scope: Scope
  readonly fleet: Fleet
  readonly timing: Timing
  readonly faults: Faults
  readonly signal: AbortSignal
  readonly wishes: Wishes
  readonly own: OwnConfigurations
}

/** Synthesises the stack and starts the loopback AWS from it, with the responder: nothing is scheduled yet. */
export async function startParts({
  workspace,
  scope,
  fleet,
  timing,
  faults,
  signal,
  wishes: { spare = false, guarded = false, canary = false },
  own,
}: Wanted): Promise<TestbedParts> {
  const outdir = `${workspace.disk}/cdk.out`
  const synthesis =
    faults.synthesis ?? (await stackFor(fleet, outdir, signal, wishesOf({ guarded, canary }, own)))
  const { template, assembly, rings, stapling } = synthesis
  const [ring, set] = [rings[0], stapling[0]] as [SynthesisedRing, SynthesisedSet]
  const { pki, responder } = await openResponder(workspace, scope)
  stopIfAsked(signal)
  const ofRing = { name: ring.name, ...ring.rotation }
  const ofSet = { name: set.name, store: set.storePath }
  const backend = Object.keys(own).length === 0 ? 0 : await startBackend(scope)
  const machines = await planFleet(fleet, ofRing, pki, workspace, ofSet, { configurations: own, backend })
  const one = spare ? await planFleet({ [kindsOf(fleet)[0] as Kind]: 1 }, ofRing, pki, workspace, ofSet) : []
  if (guarded) for (const each of [...machines, ...one]) amendSettings(each, ring.name, NOTHING_GUARDED)
  const trace = new ExecTrace(workspace.traces)
  const override = new Override(timing, faults.durations)
  const servers: RunningServer[] = []
  scope.defer(() => Promise.all(servers.map(stopServer)))
  const aws = await startLoopbackAws({
    template: faults.template?.(template) ?? template,
    assembly,
    stackName: STACK_NAME,
    timing: override,
    roles: [...rings, ...stapling].flatMap(({ fleetRoles }) => fleetRoles),
    // Nothing rotates before there is a fleet.
    schedules: 'paused',
    wrapFunction: (argv, name) => trace.wrap(argv, `function ${name}`),
  })
  scope.defer(() => aws.close())
  await publishChains(aws, pki)
  stopIfAsked(signal)
  const world = { workspace, scope, pki, ring, set, responder, aws, synthesis }
  return { ...world, override, timing, trace, machines, spare: one[0], servers }
}

function wishesOf(
  { guarded, canary }: Pick<Wishes, 'guarded' | 'canary'>,
  own: OwnConfigurations,
): StackWishes {
  const servers = serversOf(own)
  return {
    ...(guarded ? { guarded } : {}),
    ...(canary ? { canary } : {}),
    ...(Object.keys(servers).length === 0 ? {} : { servers }),
  }
}

/** No machine has the guarded listener from the start. */
const NOTHING_GUARDED = { HAPROXY_GUARDED: '' }

/** The throwaway certificates, and the responder that answers for them. */
async function openResponder(
  workspace: Workspace,
  scope: Scope,
): Promise<{ readonly pki: Pki; readonly responder: Responder }> {
  const [port] = (await freePorts(1)) as [number]
  const pki = makePki(workspace.disk, urlOfResponder(port))
  const log = `${workspace.disk}/responder.log`
  const responder = new Responder({ files: pki.responder, port, minutes: RESPONSE_MINUTES, log })
  scope.defer(() => responder.stop())
  await responder.start()
  return { pki, responder }
}
