import { hash } from 'node:crypto'
import type { Answer } from '../../lambda/ring/answer.ts'
import type { RotationPorts } from '../../lambda/ring/observation.ts'
import { seededChance } from '../fakes/chance.ts'
import { ListedEvents } from '../fakes/record.ts'
import type { World } from '../fakes/world.ts'

/** What an invocation does with the ports that it is given. */
export type Program = (ports: RotationPorts) => Promise<Answer | undefined>

/** A call of a port that waits to be let through. */
interface Call {
  readonly name: string
  readonly args: readonly unknown[]
  readonly execute: () => Promise<unknown>
  readonly settle: (outcome: Outcome) => void
}

type Outcome = { readonly value: unknown } | { readonly error: unknown }

/** Milliseconds of one invocation. */
const INVOCATION = 300_000
/** Calls after which what was read before may no longer be so: a process that has acted or waited looks again. */
const ACTS = /^(stage|promote|unlabel|start|write|send|sleep)$/

/** One invocation, held at every call of a port until the explorer lets that call through. */
export class Process {
  readonly name: string
  readonly eventLog = new ListedEvents()
  killed = false
  outcome: { readonly answer: Answer | undefined } | { readonly error: unknown } | undefined
  /** Versions that AWSCURRENT has named since this process last acted or waited: what its answer may say is current. */
  readonly current = new Set<string>()
  /** Names of its calls so far, in order. */
  readonly calls: string[] = []
  readonly #world: World
  readonly #waiting: Call[] = []
  /** All that it was told: with its program, its whole state. What has come since it was last asked for, unread. */
  #heard = ''
  #news: string[] = []

  constructor(name: string, program: Program, world: World) {
    this.name = name
    this.#world = world
    this.noteCurrent()
    program(this.#ports()).then(
      (answer) => {
        this.outcome = { answer }
      },
      (error: unknown) => {
        this.outcome = { error }
      },
    )
  }

  get next(): string | undefined {
    return this.killed ? undefined : this.#waiting[0]?.name
  }

  get ended(): boolean {
    return this.killed || this.outcome !== undefined
  }

  /** Identifies its state, for as long as the program is the same. Of what has ended, only what it said still counts. */
  get state(): string {
    if (this.killed) return 'killed'
    const said =
      this.outcome === undefined ? [this.#allHeard(), this.#waiting.length] : [JSON.stringify(this.outcome)]
    return [...said, ...this.current].join()
  }

  #allHeard(): string {
    if (this.#news.length > 0) this.#heard = digest([this.#heard, ...this.#news.splice(0)].join())
    return this.#heard
  }

  noteCurrent(): void {
    if (!this.ended) this.current.add(this.#world.secret.holders.get('AWSCURRENT') ?? '')
  }

  /** Lets its oldest call through. @param answer replaces what the call would do: a read that lags. */
  async step(answer?: () => Promise<unknown>): Promise<void> {
    const call = this.#waiting.shift()
    if (call === undefined) return
    this.calls.push(call.name)
    const outcome = await outcomeOf(answer ?? call.execute)
    if (ACTS.test(call.name)) this.current.clear()
    // As text at once: a port may change later what it has answered.
    this.#news.push(call.name, JSON.stringify(outcome))
    call.settle(outcome)
  }

  /** The call that waits, and what it was called with. */
  waitingCall(): Pick<Call, 'name' | 'args'> | undefined {
    return this.#waiting[0]
  }

  #ports(): RotationPorts {
    const {
      versions,
      commits,
      rotations,
      records,
      controls,
      canary,
      calendars,
      inventory,
      sender,
      configuration,
    } = this.#world.ports()
    const { clock } = this.#world
    const deadline = clock.now().getTime() + INVOCATION
    const remaining = () => Math.max(0, deadline - clock.now().getTime())
    return {
      configuration,
      eventLog: this.eventLog,
      chance: seededChance(this.name),
      versions: this.#gate(versions),
      commits: this.#gate(commits),
      rotations: this.#gate(rotations),
      records: this.#gate(records),
      controls,
      canary,
      calendars,
      inventory: this.#gate(inventory),
      sender: this.#gate(sender),
      clock: {
        now: () => clock.now(),
        remaining,
        sleep: this.#gate({ sleep: clock.sleep.bind(clock) }).sleep,
      },
    }
  }

  #gate<T extends object>(port: T): T {
    return new Proxy(port, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        return (...args: unknown[]) => this.#wait(String(name), args, async () => member.apply(target, args))
      },
    })
  }

  async #wait(name: string, args: readonly unknown[], execute: () => Promise<unknown>): Promise<unknown> {
    const outcome = await new Promise<Outcome>((settle) =>
      this.#waiting.push({ name, args, execute, settle }),
    )
    if ('error' in outcome) throw outcome.error
    return outcome.value
  }
}

async function outcomeOf(execute: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await execute() }
  } catch (error) {
    return { error }
  }
}

export function digest(text: string): string {
  return hash('sha1', text, 'base64')
}
