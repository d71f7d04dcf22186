import { type Invocation, isOpen } from '../../lambda/fleet/evidence.ts'
import type { Member } from '../../lambda/fleet/membership.ts'
import type { Clock, CommandSender, FleetInventory, Progress, ResultPage } from '../../lambda/fleet/ports.ts'
import { serialiseLine } from '../../lambda/fleet/result-line.ts'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import type { CanaryWatch, Order } from '../../lambda/ring/ports.ts'
import type { InstanceError } from '../../lambda/ring/result-line.ts'
import { keysOf, parseRing, type Ring } from '../../lambda/ring/ring.ts'
import { pageOf, runQueue, targetsOf } from './command-queue.ts'
import type { MemorySecret } from './secret.ts'

export const SCRIPT = '0123456789ab'

/** What an instance does with a command. */
export type Conduct =
  | 'apply'
  | 'lose'
  | 'late'
  | 'fail'
  | 'denied'
  /** It is terminated in the midst of it. */
  | 'die'
  | { readonly say: string; readonly status?: string }

/** A machine that runs the instance's script, in memory: monotonic, idempotent, proves what it encrypts with. */
export class SimulatedInstance {
  readonly id: string
  ring: Ring | undefined
  online = true
  /** False once it is stopped or terminated. */
  present = true
  /** False once it has lost its tag. */
  tagged = true
  conduct: Conduct = 'apply'
  /** What its server says its release is. */
  release: string | undefined
  /** What its server announces for a ticket (s). */
  lifetime: number | undefined
  /** How often it had drifted and was put right since it was asked last. */
  drifted = 0
  /** Of the program that the last command brought. */
  script = SCRIPT
  /** Of the one that it was brought before. */
  scriptBefore = SCRIPT
  /** Its settings say that it looks and loads nothing. */
  observes = false
  /** True where it has the canary's tag too. */
  canary = false
  /** Seconds that a process of its server has run which holds keys of before the ring. */
  oldestSeconds: number | undefined

  constructor(id: string) {
    this.id = id
  }

  /** Fetches AWSCURRENT and applies it. @returns the script's output. */
  bring(script: string): void {
    if (this.script !== script) this.scriptBefore = this.script
    this.script = script
  }

  apply(value: string, name: string, wanted: number): { status: string; output: string } {
    const ring = readRing(value, name)
    if (typeof ring === 'string') return this.#answer('failed', undefined, ring)
    const held = this.ring
    if (this.observes) return this.#look(ring)
    if (held?.lineage === ring.lineage && held.generation > ring.generation)
      return this.#answer('stale', held)
    const same =
      held !== undefined && held.lineage === ring.lineage && held.current.name === ring.current.name
    const reset = held !== undefined && (held.lineage !== ring.lineage || held.generation === ring.generation)
    this.ring = ring
    const result = same && held.generation === ring.generation ? 'unchanged' : reset ? 'reset' : 'applied'
    const { status, output } = this.#answer(result, ring)
    return { status: ring.generation < wanted ? 'Failed' : status, output }
  }

  /** Of a server that has no ring yet, it encrypts with a key of its own. */
  #look(ring: Ring) {
    const { status, output } = this.#answer('unchanged', ring)
    const inUse = keysOf(ring).some(({ name }) => name === this.ring?.current.name)
    const encryptsWith = this.ring?.current.name ?? '0123456789abcdef0123456789abcdef'
    const looked = { mode: 'observe', would: 'applied', encryptsWith, ...(inUse ? { inUse } : {}) }
    return { status, output: `${JSON.stringify({ ...JSON.parse(output), verified: 'none', ...looked })}\n` }
  }

  accepts(name: string): boolean {
    return this.ring !== undefined && keysOf(this.ring).some((key) => key.name === name)
  }

  #answer(
    result: 'applied' | 'unchanged' | 'reset' | 'stale' | 'failed',
    ring: Ring | undefined,
    error?: InstanceError,
  ) {
    const line = serialiseLine({
      ring: ring?.ring ?? 'edge',
      lineage: ring?.lineage ?? '',
      generation: ring?.generation ?? 0,
      server: 'haproxy',
      result,
      encryptsWith: ring?.current.name ?? '',
      verified: ring === undefined ? 'none' : 'handshake',
      ms: 40,
      script: this.script,
      ...(error === undefined ? {} : { error }),
      ...(this.release === undefined ? {} : { serverVersion: this.release }),
      ...(this.lifetime === undefined ? {} : { lifetime: this.lifetime }),
      ...(this.drifted === 0 ? {} : { drifted: this.drifted }),
      ...(this.oldestSeconds === undefined ? {} : { oldProcesses: 2, oldestSeconds: this.oldestSeconds }),
    })
    this.drifted = 0
    const status = result === 'stale' || result === 'failed' ? 'Failed' : 'Success'
    return { status, output: `${line}\n` }
  }
}

function readRing(value: string, name: string): Ring | InstanceError {
  try {
    return parseRing(value, name) ?? 'no-ring'
  } catch {
    return 'ring-invalid'
  }
}

function denied(wanted: string): TicketringError {
  const came = 'AccessDeniedException: not authorized to perform: ssm:DescribeInstanceInformation'
  return new TicketringError('access-denied', { wanted, came })
}

interface SimulatedCommand {
  readonly order: Order
  readonly invocations: Map<string, Invocation>
  polls: number
}

/** Systems Manager and its instances in memory. */
export class SimulatedFleet implements FleetInventory, CommandSender<Order>, CanaryWatch {
  readonly instances: SimulatedInstance[] = []
  readonly commands = new Map<string, SimulatedCommand>()
  readonly orders: Order[] = []
  /** Polls after which a command ends. */
  pollsUntilEnd = 1
  rollCallDenied = false
  canaryDenied = false
  /** States of the alarms that are there. */
  readonly alarms = new Map<string, string>()
  /** Of the program that commands bring. */
  script = SCRIPT
  /** By which what a machine answers is stamped; without one, it is not told when it did. */
  clock: Pick<Clock, 'now'> | undefined
  readonly #secret: MemorySecret
  readonly #ring: string

  constructor(secret: MemorySecret, ring: string, ids: readonly string[]) {
    this.#secret = secret
    this.#ring = ring
    for (const id of ids) this.join(id)
  }

  /** A new machine: its boot unit fetches the ring before it takes traffic. */
  join(id: string, boot = true): SimulatedInstance {
    const instance = new SimulatedInstance(id)
    this.instances.push(instance)
    if (boot && this.#current() !== '{}') instance.apply(this.#current(), this.#ring, 1)
    return instance
  }

  async members(): Promise<readonly Member[]> {
    if (this.rollCallDenied) throw denied('the instances with the tag ticketring')
    return this.#members().map(({ id, online }) => ({ id, online }))
  }

  async machines(): Promise<readonly string[]> {
    if (this.canaryDenied) throw denied('the canary')
    return this.#members().flatMap(({ id, canary }) => (canary ? [id] : []))
  }

  async alarmStates(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return new Map([...this.alarms].filter(([name]) => names.includes(name)))
  }

  async countListed(ids: readonly string[]): Promise<number> {
    return this.present().filter(({ id }) => ids.includes(id)).length
  }

  present(): SimulatedInstance[] {
    return this.instances.filter(({ present }) => present)
  }

  #members(): SimulatedInstance[] {
    return this.present().filter(({ tagged }) => tagged)
  }

  async send(order: Order): Promise<readonly string[]> {
    const tagged = order.to === 'all' ? this.#members() : this.present()
    const targets = targetsOf(
      tagged.filter(({ canary }) => canary || order.canary !== true),
      order,
    )
    const id = `command-${this.commands.size + 1}`
    const invocations = runQueue(targets, order, (instance) => this.#run(instance, order))
    this.commands.set(id, { order, invocations, polls: 0 })
    this.orders.push(order)
    return [id]
  }

  async progress(id: string): Promise<Progress> {
    const command = this.commands.get(id)
    if (command === undefined) return { state: 'unknown', targets: 0, completed: 0 }
    command.polls += 1
    const targets = command.invocations.size
    const open = [...command.invocations.values()].filter(isOpen).length
    if (command.polls < this.pollsUntilEnd) return { state: 'running', targets, completed: 0 }
    return { state: open === 0 ? 'ended' : 'running', targets, completed: targets - open }
  }

  async results(id: string, page?: string): Promise<ResultPage> {
    return pageOf(this.#results(id), page)
  }

  async resultOf(id: string, instance: string): Promise<Invocation | undefined> {
    return this.#results(id).find((each) => each.id === instance)
  }

  #results(id: string): readonly Invocation[] {
    const command = this.commands.get(id)
    if (command === undefined) return []
    const results = [...command.invocations.values()]
    const isRunning = command.polls < this.pollsUntilEnd
    return isRunning ? results.map((each) => ({ id: each.id, status: 'InProgress', output: '' })) : results
  }

  /** The commands that were late arrive now, whatever has happened since. */
  arriveLate(): void {
    for (const instance of this.present()) {
      if (instance.conduct !== 'late') continue
      instance.conduct = 'apply'
      if (this.#current() !== '{}') instance.apply(this.#current(), this.#ring, 1)
    }
  }

  #run(instance: SimulatedInstance, { generation, program }: Order): Invocation {
    const { id, conduct } = instance
    if (!instance.online || conduct === 'lose') return { id, status: 'Delivery Timed Out', output: '' }
    if (conduct === 'die') {
      instance.present = false
      return { id, status: 'InProgress', output: '' }
    }
    if (conduct === 'late') return { id, status: 'Undeliverable', output: '' }
    if (conduct === 'denied') return { id, status: 'AccessDenied', output: '' }
    if (conduct === 'fail') return { id, status: 'Failed', output: '\n----------ERROR-------\nno such thing' }
    if (conduct !== 'apply') return { id, status: conduct.status ?? 'Success', output: conduct.say }
    if (program === undefined) instance.bring(this.script)
    if (program === 'back' && instance.script === this.script) instance.script = instance.scriptBefore
    const finished = this.clock === undefined ? {} : { finishedAt: this.clock.now() }
    return { id, ...instance.apply(this.#current(), this.#ring, generation), ...finished }
  }

  #current(): string {
    const version = this.#secret.holders.get('AWSCURRENT') ?? ''
    return this.#secret.values.get(version) ?? '{}'
  }
}
