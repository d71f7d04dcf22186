import type { World } from '../fakes/world.ts'
import { forkOf, Past, stateOf } from './fork.ts'
import { digest, Process, type Program } from './process.ts'

/** Two or more invocations over one world. */
export interface Scenario {
  readonly name: string
  /** The world before they begin; it stays as it is. */
  readonly start: World
  readonly actors: readonly { readonly name: string; readonly program: Program }[]
  /** What RotateSecret sets off: Secrets Manager's own calls, a process more. */
  readonly onRotate?: (token: string) => Program
  /** Spoils what the invocations work on: a fault that the explorer has to find. */
  readonly spoil?: (world: World) => void
}

/** How far a schedule may leave the one in which each invocation runs to its end before the next begins. */
export interface Bound {
  readonly switches: number
  /** Reads that answer what was before the last write. */
  readonly stale: number
  /** Invocations that end in the middle. */
  readonly kills: number
  /** Of all these together. */
  readonly all: number
}

/** One choice: which process runs its next call, and how. */
export interface Choice {
  readonly process: number
  readonly how: 'go' | 'stale' | 'kill'
}

/** A run as it ended, to be judged. */
export interface Run {
  readonly scenario: Scenario
  readonly world: World
  readonly processes: readonly Process[]
  readonly choices: readonly Choice[]
  readonly commits: readonly Commit[]
}

/** AWSCURRENT came to a version while the machines held these generations. */
export interface Commit {
  readonly version: string
  readonly at: Date
  readonly held: readonly number[]
}

export interface Finding {
  readonly scenario: string
  /** Which process ran which call, in order. */
  readonly schedule: string
  readonly choices: readonly Choice[]
  readonly problem: string
}

export interface Exploration {
  readonly runs: number
  readonly findings: readonly Finding[]
}

/** No invocation takes as many calls: one that does goes round in circles. */
const MOST_CALLS = 600

/**
 * Plays every schedule within the bound, depth first, and judges how each ends. A state that was met before with
 * as much of the bound left is not gone on from.
 * @param judge what is wrong with a run, if anything.
 * @param most findings after which it stops.
 */
export async function explore(
  scenario: Scenario,
  bound: Bound,
  judge: (run: Run) => Promise<string | undefined>,
  most = 1,
): Promise<Exploration> {
  const seen = new Set<string>()
  const open = beginnings(scenario)
  const findings: Finding[] = []
  let runs = 0
  for (let prefix = open.pop(); prefix !== undefined && findings.length < most; prefix = open.pop()) {
    runs += 1
    const play = new Play(scenario, prefix, bound, seen)
    open.push(...(await play.toEnd()))
    const problem = play.met ? undefined : await judge(play.run())
    if (problem === undefined) continue
    const { choices } = play.run()
    findings.push({ scenario: scenario.name, schedule: play.schedule(), choices, problem })
  }
  return { runs, findings }
}

/** Each invocation may begin; of two of the same name it makes no difference which. */
function beginnings({ actors }: Scenario): (readonly Choice[])[] {
  const names = actors.map(({ name }) => name)
  return [...new Set(names)].map((name) => [{ process: names.indexOf(name), how: 'go' }])
}

/** One schedule: the choices given, then each process to its end. */
class Play {
  /** True once it has come to a state that another schedule has been at. */
  met = false
  readonly #scenario: Scenario
  readonly #prefix: readonly Choice[]
  readonly #world: World
  readonly #past: Past
  readonly #processes: Process[]
  readonly #choices: Choice[] = []
  readonly #words: string[] = []
  readonly #commits: Commit[] = []
  readonly #seen: Set<string>
  /** All but the running process, where its end was last one of the alternatives. */
  #beside = ''
  #left: Bound

  constructor(scenario: Scenario, prefix: readonly Choice[], bound: Bound, seen: Set<string>) {
    this.#scenario = scenario
    this.#prefix = prefix
    this.#left = bound
    this.#seen = seen
    this.#world = forkOf(scenario.start)
    scenario.spoil?.(this.#world)
    this.#past = new Past(this.#world)
    this.#world.secret.onRotate = async (token) =>
      this.#spawn(`hook ${token.slice(0, 12)}`, scenario.onRotate?.(token))
    this.#processes = scenario.actors.map(
      ({ name, program }, n) => new Process(`${n}:${name}`, program, this.#world),
    )
  }

  /** @returns the schedules that leave this one after its prefix. */
  async toEnd(): Promise<readonly (readonly Choice[])[]> {
    const others: (readonly Choice[])[] = []
    await settled()
    for (let n = 0; n < MOST_CALLS; n++) {
      const normal = this.#normal()
      const given = this.#prefix[n]
      if ((given === undefined || normal === undefined) && this.#isMet()) return others
      if (normal === undefined) return others
      if (given === undefined) {
        for (const other of this.#alternatives(normal)) others.push([...this.#choices, other])
      }
      await this.#take(given ?? normal, normal)
    }
    throw new RangeError(`${this.#scenario.name}: no end after ${MOST_CALLS} calls: ${this.schedule()}`)
  }

  run(): Run {
    return {
      scenario: this.#scenario,
      world: this.#world,
      processes: this.#processes,
      choices: this.#choices,
      commits: this.#commits,
    }
  }

  schedule(): string {
    return this.#words.join(' ')
  }

  /** The process that ran last goes on; when it has ended, the first that has not. */
  #normal(): Choice | undefined {
    const last = this.#choices.at(-1)?.process
    const mayRun = (n: number) => this.#processes[n]?.next !== undefined
    if (last !== undefined && mayRun(last)) return { process: last, how: 'go' }
    const process = this.#processes.findIndex((_, n) => mayRun(n))
    return process < 0 ? undefined : { process, how: 'go' }
  }

  #alternatives({ process: running }: Choice): readonly Choice[] {
    const { switches, stale, kills, all } = this.#left
    if (all < 1) return []
    const others = this.#processes.flatMap((each, process): Choice[] =>
      process !== running && each.next !== undefined && switches > 0 ? [{ process, how: 'go' }] : [],
    )
    const process = this.#processes[running]
    if (stale > 0 && process !== undefined && this.#past.differs(process))
      others.push({ process: running, how: 'stale' })
    if (kills > 0 && this.#isNewBeside(running)) others.push({ process: running, how: 'kill' })
    return others
  }

  /** Where a process ends makes no difference as long as nothing but itself has changed: what it has read goes with it. */
  #isNewBeside(running: number): boolean {
    const others = this.#processes.filter((_, n) => n !== running).map(({ state }) => state)
    const beside = [running, stateOf(this.#world), this.#past.state, ...others].join()
    const isNew = beside !== this.#beside
    this.#beside = beside
    return isNew
  }

  async #take(choice: Choice, normal: Choice): Promise<void> {
    this.#spend(choice, normal)
    this.#choices.push(choice)
    const process = this.#processes[choice.process]
    if (process === undefined) throw new RangeError(`no process ${choice.process}`)
    const marked = choice.how === 'go' ? '' : `${choice.how} `
    this.#words.push(`${choice.process}:${marked}${process.next}`)
    if (choice.how === 'kill') process.killed = true
    else {
      this.#past.before(process)
      await process.step(choice.how === 'stale' ? this.#past.answer(process) : undefined)
      for (const each of this.#processes) each.noteCurrent()
      this.#noteCommit(process)
    }
    await settled()
  }

  #noteCommit({ calls }: Process): void {
    const { secret, fleet, clock } = this.#world
    const version = secret.holders.get('AWSCURRENT') ?? ''
    if (calls.at(-1) !== 'promote' || this.#commits.at(-1)?.version === version) return
    const held = fleet.present().flatMap(({ ring }) => ring?.generation ?? [])
    this.#commits.push({ version, at: clock.now(), held })
  }

  #spend({ process, how }: Choice, normal: Choice): void {
    const { switches, stale, kills, all } = this.#left
    // Which of them begins is no switch.
    const isSwitch = how === 'go' && process !== normal.process && this.#choices.length > 0
    const spent = how === 'go' ? (isSwitch ? 1 : 0) : 1
    this.#left = {
      switches: isSwitch ? switches - 1 : switches,
      stale: how === 'stale' ? stale - 1 : stale,
      kills: how === 'kill' ? kills - 1 : kills,
      all: all - spent,
    }
  }

  #isMet(): boolean {
    const { switches, stale, kills, all } = this.#left
    const last = this.#choices.at(-1)?.process
    const states = this.#processes.map(({ state }) => state)
    const commits = JSON.stringify(this.#commits)
    const left = this.#normal() === undefined ? [] : [switches, stale, kills, all, last, this.#past.state]
    const state = digest([...left, ...states, stateOf(this.#world), commits].join())
    this.met = this.#seen.has(state)
    this.#seen.add(state)
    return this.met
  }

  #spawn(name: string, program: Program | undefined): void {
    if (program !== undefined) this.#processes.push(new Process(name, program, this.#world))
  }
}

/** Everything that waits for nothing but what has been let through has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
