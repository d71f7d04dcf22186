import type { Answer } from '../../lambda/ring/answer.ts'
import type { RotationConfiguration, RotationTiming } from '../../lambda/ring/configuration.ts'
import { parseRecord } from '../../lambda/ring/delivery-record-text.ts'
import type { RotationPorts } from '../../lambda/ring/observation.ts'
import type { RingCommits } from '../../lambda/ring/ports.ts'
import { parseRotationRequest, STEPS, type StepRequest } from '../../lambda/ring/request.ts'
import { parseRing, type Ring } from '../../lambda/ring/ring.ts'
import { run } from '../../lambda/ring/rotate.ts'
import { runStep } from '../../lambda/ring/secrets-manager-steps.ts'
import { seededChance } from './chance.ts'
import { ManualClock } from './clock.ts'
import { SCRIPT, SimulatedFleet } from './fleet.ts'
import { ListedEvents, MemoryCalendars, MemoryControls, MemoryRecord } from './record.ts'
import { MemorySecret } from './secret.ts'

export const HOUR = 3600
/** The least that a revoke is asked for by. */
export const REVOKE = { action: 'revoke', ring: 'edge', reason: 'drill' } as const
export const SECRET_ARN = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:ticketring/edge-AbCdEf'

export const TIMING: RotationTiming = {
  every: 4 * HOUR,
  window: 900,
  ticketLifetime: 2 * HOUR,
  maxKeyAge: 12 * HOUR,
  tick: 300,
  delivery: 120,
  execution: 120,
}

export function configurationOf(changes: Partial<RotationConfiguration> = {}): RotationConfiguration {
  return {
    ring: 'edge',
    secret: SECRET_ARN,
    document: { name: 'ticketring-edge-0123456789ab', version: '1', script: SCRIPT },
    target: { tag: 'ticketring', values: ['edge'] },
    record: '/ticketring/edge/delivery',
    control: '/ticketring/edge/control',
    timing: TIMING,
    announcedAtMost: TIMING.ticketLifetime,
    trigger: 'schedule',
    ...changes,
  }
}

/** The whole rotation over fakes: one secret, one fleet, one clock. */
export class World {
  readonly clock = new ManualClock()
  readonly secret: MemorySecret
  readonly fleet: SimulatedFleet
  readonly record = new MemoryRecord()
  readonly controls = new MemoryControls(this.clock)
  readonly calendars = new MemoryCalendars()
  readonly eventLog = new ListedEvents()
  readonly chance = seededChance('world')
  configuration: RotationConfiguration

  constructor(
    ids: readonly string[] = ['i-1', 'i-2', 'i-3'],
    changes: Partial<RotationConfiguration> = {},
    value = '{}',
  ) {
    this.configuration = configurationOf(changes)
    this.secret = new MemorySecret(value)
    this.fleet = new SimulatedFleet(this.secret, this.configuration.ring, ids)
    this.fleet.clock = this.clock
  }

  ports(): RotationPorts {
    const { secret, fleet, record, controls, calendars, clock, chance, eventLog, configuration } = this
    return {
      configuration,
      versions: secret,
      commits: secret,
      rotations: secret,
      records: record,
      controls,
      canary: fleet,
      calendars,
      inventory: fleet,
      sender: fleet,
      clock,
      chance,
      eventLog,
    }
  }

  /** One invocation with this event. */
  async invoke(event: unknown, ports: RotationPorts = this.ports()): Promise<Answer> {
    const request = parseRotationRequest(event)
    if (request.kind !== 'action') throw new Error('use runStep for rotation steps')
    this.clock.allow(300_000)
    return run(ports, request)
  }

  reconcile(): Promise<Answer> {
    return this.invoke({ action: 'reconcile' })
  }

  rotate(extra: object = {}): Promise<Answer> {
    return this.invoke({ action: 'rotate', ...extra })
  }

  scheduled(): Promise<Answer> {
    return this.rotate({ scheduledTime: this.clock.now().toISOString() })
  }

  /** Lets ticks run for as long as this, so many seconds apart. */
  async pass(seconds: number, tick = this.configuration.timing.tick): Promise<void> {
    const end = this.clock.now().getTime() + seconds * 1000
    while (this.clock.now().getTime() < end) {
      this.clock.advance(Math.min(tick, seconds))
      await this.reconcile()
    }
  }

  ring(): Ring {
    const version = this.secret.holders.get('AWSCURRENT') ?? ''
    const ring = parseRing(this.secret.values.get(version) ?? '', this.configuration.ring)
    if (ring === undefined) throw new Error('there is no ring yet')
    return ring
  }

  /** Everything that an invocation can leave behind, as it is now. */
  traces() {
    const { secret, fleet, record } = this
    const { history, holders, values } = secret
    return {
      history: [...history],
      holders: [...holders],
      values: [...values],
      orders: [...fleet.orders],
      record: record.text,
    }
  }

  delivery() {
    return this.record.text === undefined ? undefined : parseRecord(this.record.text).delivery
  }
}

/** A world after its first tick: generation 1 is everywhere. */
export async function converged(...args: ConstructorParameters<typeof World>): Promise<World> {
  const world = new World(...args)
  await world.reconcile()
  return world
}

/** A port's methods, bound, so that one of them can be replaced. */
export function methods(commits: RingCommits): RingCommits {
  return {
    stage: commits.stage.bind(commits),
    promote: commits.promote.bind(commits),
    unlabel: commits.unlabel.bind(commits),
  }
}

/** A ClientRequestToken as Secrets Manager makes them. */
export const TOKEN = '4f9c2d1e-0000-4000-8000-00000000aaaa'

/** A world whose RotateSecret runs the four steps, as Secrets Manager does. */
export function hooked(...args: ConstructorParameters<typeof World>): World {
  const [ids, changes, value] = args
  const world = new World(ids, { trigger: 'secrets-manager', ...changes }, value)
  world.secret.rotationEnabled = true
  world.secret.onRotate = async (token) => {
    for (const step of STEPS) await runStep(world.ports(), stepOf(step, token))
  }
  return world
}

export function stepOf(Step: string, ClientRequestToken = TOKEN, SecretId = SECRET_ARN): StepRequest {
  const request = parseRotationRequest({ Step, SecretId, ClientRequestToken, RotationToken: 'opaque' })
  if (request.kind !== 'step') throw new Error('not a step')
  return request
}

/** Due, with rotation switched on in Secrets Manager: its first step has its token staged without a value. */
export async function begun(changes: Partial<RotationConfiguration> = {}): Promise<World> {
  const world = hooked(undefined, changes)
  await world.reconcile()
  world.clock.advance(TIMING.every)
  world.secret.onRotate = async () => {}
  await world.secret.start(TOKEN)
  return world
}
