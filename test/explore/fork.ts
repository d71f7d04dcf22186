import { ManualClock } from '../fakes/clock.ts'
import { MemorySecret } from '../fakes/secret.ts'
import { World } from '../fakes/world.ts'
import type { Process } from './process.ts'

/** A world of its own in the same state. */
export function forkOf(world: World): World {
  const { secret, fleet, record, clock, configuration } = world
  const fork = new World([], { ...configuration })
  Object.assign(fork, { clock: new ManualClock(clock.now().toISOString()) })
  fork.fleet.clock = fork.clock
  refill(fork.secret.values, secret.values)
  refill(fork.secret.holders, secret.holders)
  fork.secret.history.splice(0, Number.POSITIVE_INFINITY, ...secret.history)
  fork.secret.rotationEnabled = secret.rotationEnabled
  fork.record.text = record.text
  for (const { id, ring, online, present, conduct, canary } of fleet.instances)
    Object.assign(fork.fleet.join(id, false), { ring, online, present, conduct, canary })
  for (const [id, command] of fleet.commands)
    fork.fleet.commands.set(id, { ...command, invocations: new Map(command.invocations) })
  fork.fleet.orders.push(...fleet.orders)
  fork.fleet.pollsUntilEnd = fleet.pollsUntilEnd
  return fork
}

function refill<K, V>(map: Map<K, V>, other: ReadonlyMap<K, V>): void {
  map.clear()
  for (const [key, value] of other) map.set(key, value)
}

/** Identifies what a world has come to. */
export function stateOf({ secret, fleet, record, clock }: World): string {
  const machines = fleet.instances.map(({ ring }) => ring?.current.name)
  const polls = [...fleet.commands.values()].map((command) => command.polls)
  const labels = [...secret.holders].map(([label, version]) => `${label}=${version}`).sort()
  return [
    ...labels,
    ...[...secret.values.keys()].sort(),
    ...secret.history,
    ...machines,
    ...polls,
    record.text,
    clock.now().getTime(),
  ].join()
}

const WRITES = /^(stage|promote|unlabel|start|write)$/

/** What the secret and the record were before the last write: what a read that lags still answers. */
export class Past {
  readonly #now: World
  readonly #secret = new MemorySecret()
  #record: string | undefined

  constructor(world: World) {
    this.#now = world
    this.#keep()
  }

  get state(): string {
    return [...this.#secret.holders.values(), ...this.#secret.values.keys(), this.#record].join()
  }

  /** Called before a process's next call has its effect. */
  before(process: Process): void {
    if (WRITES.test(process.next ?? '')) this.#keep()
  }

  /** True if the call that waits would be answered otherwise by a lagging read. */
  differs(process: Process): boolean {
    const { secret, record } = this.#now
    const then = this.#secret
    const [which] = (process.waitingCall()?.args ?? []) as Which
    if (process.next === 'labels') return [...then.holders].join() !== [...secret.holders].join()
    if (process.next !== 'read') return false
    if (which === undefined) return this.#record !== record.text
    if (which === 'AWSCURRENT') return then.holders.get(which) !== secret.holders.get(which)
    return then.values.get(which.version) !== secret.values.get(which.version)
  }

  /** What the call that waits is answered by a lagging read. */
  answer(process: Process): () => Promise<unknown> {
    const [which] = (process.waitingCall()?.args ?? []) as Which
    if (process.next === 'labels') return () => this.#secret.labels()
    return which === undefined ? async () => this.#record : () => this.#secret.read(which)
  }

  #keep(): void {
    const { secret, record } = this.#now
    refill(this.#secret.values, secret.values)
    refill(this.#secret.holders, secret.holders)
    this.#secret.rotationEnabled = secret.rotationEnabled
    this.#record = record.text
  }
}

/** What `read` is called with: nothing where the record is read. */
type Which = readonly [Parameters<MemorySecret['read']>[0] | undefined]
