import type { Invocation } from '../../lambda/fleet/evidence.ts'
import type { Member } from '../../lambda/fleet/membership.ts'
import type { CommandSender, FleetInventory, Progress, ResultPage } from '../../lambda/fleet/ports.ts'
import { serialiseLine } from '../../lambda/fleet/result-line.ts'
import { digestOf, parseEntry } from '../../lambda/staples/entry.ts'
import type { StapleOrder } from '../../lambda/staples/ports.ts'
import type { StapleError } from '../../lambda/staples/result-line.ts'
import { pageOf, runQueue, targetsOf } from './command-queue.ts'
import type { MemoryStaples } from './staple-store.ts'

export const STAPLE_SCRIPT = 'ba9876543210'

/** A machine that runs the staple script, in memory: holds what the store says, and says whether that is what it was told. */
export class StapleMachine {
  readonly id: string
  /** Digest of what it staples, by certificate id. */
  readonly held = new Map<string, string>()
  /** False once it is stopped or terminated. */
  present = true
  /** False once it has lost its tag. */
  tagged = true
  online = true
  /** How many of its staples had drifted and were put right since it was asked last. */
  drifted = 0
  /** What its server says its release is. */
  release: string | undefined
  conduct: 'apply' | 'lose' | { readonly fail: StapleError } | { readonly say: string } = 'apply'
  readonly #store: MemoryStaples
  readonly #has: (certificate: string) => boolean

  constructor(id: string, store: MemoryStaples, has: (certificate: string) => boolean = () => true) {
    this.id = id
    this.#store = store
    this.#has = has
  }

  run(message: StapleOrder['message']): Invocation {
    const { id, conduct } = this
    if (!this.online || conduct === 'lose') return { id, status: 'Delivery Timed Out', output: '' }
    if (conduct !== 'apply' && 'say' in conduct) return { id, status: 'Success', output: conduct.say }
    if (conduct !== 'apply') return this.#answer('failed', 0, 0, conduct.fail)
    const named =
      message === 'all' ? [...this.#store.versions.keys()] : message.map(([certificate]) => certificate)
    const wanted = new Map(message === 'all' ? [] : message)
    let [installed, withdrawn] = [0, 0]
    for (const certificate of named.filter(this.#has)) {
      const stored = this.#stored(certificate)
      if (wanted.has(certificate) && wanted.get(certificate) !== (stored ?? 'withdrawn'))
        return this.#answer('failed', installed, withdrawn, 'staple-mismatch')
      if (stored === this.held.get(certificate)) continue
      if (stored === undefined) {
        this.held.delete(certificate)
        withdrawn += 1
      } else {
        this.held.set(certificate, stored)
        installed += 1
      }
    }
    return this.#answer(installed + withdrawn > 0 ? 'applied' : 'unchanged', installed, withdrawn)
  }

  #stored(certificate: string): string | undefined {
    const text = this.#store.versions.get(certificate)?.at(-1)
    const entry = text === undefined ? undefined : parseEntry(text)
    return entry?.state === 'staple' && entry.response ? digestOf(entry.response.der) : undefined
  }

  #answer(
    result: 'applied' | 'unchanged' | 'failed',
    installed: number,
    withdrawn: number,
    error?: StapleError,
  ) {
    const line = { staples: 'edge', server: 'nginx', result, installed, withdrawn, held: this.held.size }
    const rest = { verified: 'handshake', ms: 30, script: STAPLE_SCRIPT } as const
    const told = this.release === undefined ? {} : { serverVersion: this.release }
    const output = serialiseLine({
      ...line,
      ...rest,
      ...told,
      ...(this.drifted === 0 ? {} : { drifted: this.drifted }),
      ...(error === undefined ? {} : { error }),
    })
    this.drifted = 0
    return { id: this.id, status: result === 'failed' ? 'Failed' : 'Success', output }
  }
}

/** Systems Manager and its machines in memory. */
export class StapleFleet implements FleetInventory, CommandSender<StapleOrder> {
  readonly machines: StapleMachine[] = []
  readonly orders: StapleOrder[] = []
  readonly #results: (readonly Invocation[])[] = []

  async members(): Promise<readonly Member[]> {
    return this.#members().map(({ id, online }) => ({ id, online }))
  }

  async countListed(ids: readonly string[]): Promise<number> {
    return this.#present().filter(({ id }) => ids.includes(id)).length
  }

  #members(): readonly StapleMachine[] {
    return this.#present().filter(({ tagged }) => tagged)
  }

  #present(): readonly StapleMachine[] {
    return this.machines.filter(({ present }) => present)
  }

  async send(order: StapleOrder): Promise<readonly string[]> {
    const targets = targetsOf(order.to === 'all' ? this.#members() : this.#present(), order)
    this.orders.push(order)
    const invocations = runQueue(targets, order, (machine) => machine.run(order.message))
    this.#results.push([...invocations.values()])
    return [`command-${this.#results.length}`]
  }

  async progress(id: string): Promise<Progress> {
    const results = this.#of(id)
    return { state: 'ended', targets: results.length, completed: results.length }
  }

  async results(id: string, page?: string): Promise<ResultPage> {
    return pageOf(this.#of(id), page)
  }

  async resultOf(id: string, instance: string): Promise<Invocation | undefined> {
    return this.#of(id).find((each) => each.id === instance)
  }

  #of(id: string): readonly Invocation[] {
    return this.#results[Number(id.slice('command-'.length)) - 1] ?? []
  }
}
