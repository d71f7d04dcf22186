import type { RotationConfiguration } from '../../lambda/ring/configuration.ts'
import { parseRotationRequest, STEPS } from '../../lambda/ring/request.ts'
import { run } from '../../lambda/ring/rotate.ts'
import { runStep } from '../../lambda/ring/secrets-manager-steps.ts'
import { CANARY } from '../fakes/canary-world.ts'
import { converged, HOUR, hooked, methods, REVOKE, stepOf, TIMING, TOKEN, World } from '../fakes/world.ts'
import type { Scenario } from './explorer.ts'
import type { Program } from './process.ts'

const IDS = ['i-1', 'i-2']
const KILLED = new Error('killed')

const TOKEN_OF_REVOKE = 'incident-7'

/** What is invoked, by name. */
export const EVENTS = {
  tick: { action: 'reconcile' },
  rotate: { action: 'rotate' },
  'rotate with a token': { action: 'rotate', token: 'drill-1' },
  scheduled: { action: 'rotate', scheduledTime: 'now' },
  revoke: REVOKE,
  'revoke with a token': { ...REVOKE, token: TOKEN_OF_REVOKE },
  deliver: { action: 'deliver' },
  promote: { action: 'promote', reason: 'drill' },
  status: { action: 'status' },
} as const
export type Invoked = keyof typeof EVENTS | (typeof STEPS)[number] | 'the four steps'

/** Where the ring stands when the invocations begin. */
export interface State {
  readonly name: string
  readonly trigger: RotationConfiguration['trigger']
  /** Whether there is a canary. */
  readonly canary?: true
  readonly make: () => Promise<World>
}

async function due(): Promise<World> {
  const world = await converged(IDS)
  world.clock.advance(TIMING.every)
  return world
}

/** Runs `event` to the call of that name, which fails. */
async function killedAt(world: World, event: object, call: 'promote' | 'send' | 'unlabel'): Promise<World> {
  const ports = world.ports()
  const fail = () => Promise.reject(KILLED)
  const { sender } = ports
  const broken = {
    ...ports,
    commits: call === 'send' ? ports.commits : { ...methods(ports.commits), [call]: fail },
    ...(call === 'send' ? { sender: { ...senderOf(sender), send: fail }, records: unwritten(ports) } : {}),
  }
  await world.invoke(event, broken).catch((error: unknown) => {
    if (error !== KILLED) throw error
  })
  return world
}

function senderOf(sender: World['fleet'] | ReturnType<World['ports']>['sender']) {
  return {
    send: sender.send.bind(sender),
    progress: sender.progress.bind(sender),
    results: sender.results.bind(sender),
    resultOf: sender.resultOf.bind(sender),
  }
}

/** A process that dies as it sends writes no record of it. */
function unwritten({ records }: ReturnType<World['ports']>) {
  return { read: records.read.bind(records), write: () => Promise.reject(KILLED) }
}

async function withStraggler(world: World): Promise<World> {
  const [lost] = world.fleet.instances
  if (lost) lost.conduct = 'lose'
  await world.reconcile()
  return world
}

/** The first machine is a canary, and a rotation is due. */
async function withCanary(): Promise<World> {
  const world = new World(IDS, { canary: CANARY })
  const [first] = world.fleet.instances
  if (first) first.canary = true
  await world.reconcile()
  await world.pass(CANARY.soak + 2 * TIMING.tick)
  world.clock.advance(TIMING.every)
  return world
}

/** The next generation is the canary's alone. */
async function soaking(conduct: 'apply' | 'fail'): Promise<World> {
  const world = await withCanary()
  const [first] = world.fleet.instances
  if (first) first.conduct = conduct
  await world.rotate()
  await world.pass(TIMING.tick)
  return world
}

async function hookedAndDue(): Promise<World> {
  const world = hooked(IDS)
  await world.reconcile()
  world.clock.advance(TIMING.every)
  world.secret.onRotate = async () => {}
  return world
}

async function begun(...steps: (typeof STEPS)[number][]): Promise<World> {
  const world = await hookedAndDue()
  await world.secret.start(TOKEN)
  for (const step of steps) await runStep(world.ports(), stepOf(step))
  return world
}

export const STATES: readonly State[] = [
  { name: 'no ring yet', trigger: 'schedule', make: async () => new World(IDS) },
  { name: 'a fresh ring', trigger: 'schedule', make: () => converged(IDS) },
  { name: 'a rotation due', trigger: 'schedule', make: due },
  {
    name: 'a ring that was committed and not sent',
    trigger: 'schedule',
    make: async () => killedAt(await due(), EVENTS.rotate, 'send'),
  },
  {
    name: 'a revoke staged',
    trigger: 'schedule',
    make: async () => killedAt(await due(), EVENTS['revoke with a token'], 'promote'),
  },
  {
    name: 'a revoke committed and not sent',
    trigger: 'schedule',
    make: async () => killedAt(await due(), EVENTS['revoke with a token'], 'unlabel'),
  },
  { name: 'a machine that is missing', trigger: 'schedule', make: () => withStraggler(new World(IDS)) },
  {
    name: 'a ring past maxKeyAge',
    trigger: 'schedule',
    make: async () => {
      const world = await withStraggler(new World(IDS))
      world.clock.advance(TIMING.maxKeyAge + HOUR)
      return world
    },
  },
  { name: 'a canary and a rotation due', trigger: 'schedule', canary: true, make: withCanary },
  { name: 'a canary that soaks', trigger: 'schedule', canary: true, make: () => soaking('apply') },
  { name: 'a canary that fails', trigger: 'schedule', canary: true, make: () => soaking('fail') },
  {
    name: 'a canary that fails until its generation is too old',
    trigger: 'schedule',
    canary: true,
    make: async () => {
      const world = await soaking('fail')
      world.clock.advance(TIMING.maxKeyAge + HOUR)
      return world
    },
  },
  { name: 'a rotation due', trigger: 'secrets-manager', make: hookedAndDue },
  { name: 'a rotation begun', trigger: 'secrets-manager', make: () => begun() },
  { name: 'a rotation staged', trigger: 'secrets-manager', make: () => begun('createSecret') },
]

const ACTIONS = Object.keys(EVENTS) as (keyof typeof EVENTS)[]

/** Who may meet whom: by hand, by schedule, by Secrets Manager. */
export function actorsFor({ trigger, canary }: State): readonly Invoked[] {
  const actions = ACTIONS.filter((name) => name !== 'promote' || canary)
  return trigger === 'schedule' ? actions : [...actions, 'createSecret', 'finishSecret', 'the four steps']
}

export function programOf(invoked: Invoked, world: World): Program {
  if (invoked === 'the four steps') return rotation(TOKEN)
  if (!(invoked in EVENTS)) return rotation(TOKEN, [invoked as (typeof STEPS)[number]])
  const event: object = EVENTS[invoked as keyof typeof EVENTS]
  const scheduledTime = world.clock.now().toISOString()
  const request = parseRotationRequest('scheduledTime' in event ? { ...event, scheduledTime } : event)
  if (request.kind !== 'action') throw new Error('not an action')
  return (ports) => run(ports, request)
}

/** Secrets Manager's calls with a token, each only after the one before has succeeded. */
export function rotation(token: string, steps: readonly (typeof STEPS)[number][] = STEPS): Program {
  return async (ports) => {
    for (const step of steps) await runStep(ports, stepOf(step, token))
    return undefined
  }
}

export function scenarioOf(state: State, start: World, invoked: readonly Invoked[]): Scenario {
  return {
    name: `${state.name} (${state.trigger}): ${invoked.join(', ')}`,
    start,
    actors: invoked.map((name) => ({ name, program: programOf(name, start) })),
    onRotate: rotation,
  }
}

/** Each with each, itself included. */
export function pairsOf<T>(all: readonly T[]): readonly (readonly [T, T])[] {
  return all.flatMap((one, n) => all.slice(n).map((other) => [one, other] as const))
}
