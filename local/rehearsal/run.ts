import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { allMachines } from '../../lambda/kernel/count.ts'
import type { Clients } from './clients/clients.ts'
import { totalOf } from './clients/tally.ts'
import { DRAINING, type RingView } from './clients/ticket-validity.ts'
import type { Faults } from './faults.ts'
import { hostOf } from './machines/fleet.ts'
import type { Options } from './options.ts'
import type { Progress } from './progress.ts'
import { RehearsalError, stopIfAsked } from './rehearsal-error.ts'
import { judge, type Result } from './report/judge.ts'
import { ScenePlay } from './scenes/playing.ts'
import { SCENES } from './scenes/scenes.ts'
import { StapleScenario } from './staples/scenario.ts'
import type { Testbed } from './testbed.ts'
import { patienceWith, type Timing } from './timing.ts'

export interface Rehearsing extends Options {
  readonly progress: Progress
  /** Ctrl-C. */
  readonly signal: AbortSignal
  readonly timing?: Timing
  readonly faults?: Faults
  /** Clients that act at the same time. */
  readonly lanes?: number
  /** Told the result as soon as there is one: with `keep` the rehearsal goes on. */
  readonly onResult?: (result: Result) => void
}

interface Confirmation {
  readonly members: number
  readonly confirmed: number
}

/** How often we look at what the loopback AWS knows (ms). */
const LOOK_EVERY = 40
/** Without an advance for so many intervals something is wrong: what there is, is judged. */
const STALLED = 10

/** One run over a testbed: its machines come up, its ring rotates while clients come and go, and what they saw is judged. */
export class Run {
  readonly #testbed: Testbed
  readonly #clients: Clients
  readonly #options: Rehearsing
  readonly #startedAt = Date.now()
  #view: RingView | undefined
  #committedAt = Date.now()
  #announced = 0
  #show: StapleScenario | undefined
  #scene: ScenePlay | undefined
  /** Ends the show early. */
  readonly #curtain = new AbortController()

  constructor(testbed: Testbed, clients: Clients, options: Rehearsing) {
    this.#testbed = testbed
    this.#clients = clients
    this.#options = options
  }

  async result(): Promise<Result> {
    try {
      return await this.#play()
    } finally {
      this.#curtain.abort()
    }
  }

  async #play(): Promise<Result> {
    const { progress, rotations, faults } = this.#options
    progress.say(`the stack runs on a loopback AWS at ${this.#testbed.aws.endpoint}`)
    await this.#testbed.tickOnce()
    const hasRing = () => this.#testbed.watch.current !== undefined
    await this.#until('waiting for the first tick to make generation 1', 60, hasRing)
    await this.#raiseFleet()
    await faults?.onStart?.(this.#testbed)
    this.#letClientsIn()
    this.#raiseCurtain()
    this.#playScene()
    await this.#rotate(rotations)
    await this.#comeToRest()
    progress.state('trying every retired ticket')
    const tally = await this.#clients.finish()
    const { said = [], trouble } = this.#show ?? {}
    const troubles = [trouble, this.#scene?.trouble].filter((each) => each !== undefined)
    const { told = [] } = this.#scene ?? {}
    const seen = { tally, clients: this.#clients, startedAt: this.#startedAt, said, told, troubles }
    const result = await judge(this.#testbed, { ...this.#options, ...seen })
    progress.end()
    return result
  }

  async #raiseFleet(): Promise<void> {
    const { progress } = this.#options
    for (const machine of this.#testbed.machines) {
      stopIfAsked(this.#options.signal)
      progress.state(`booting ${machine.server} on ${machine.id}`)
      await this.#testbed.bringUp(machine)
      const behind = machine.proxyProtocol ? ', behind PROXY protocol' : ''
      progress.say(
        `${machine.id} up: ${machine.server} on port ${machine.publicPort}${behind}, ${machine.agent} agent`,
      )
    }
    this.#testbed.runSchedules()
    const patience = patienceWith(this.#options.fleet)
    await this.#until('waiting for the fleet to confirm generation 1', patience, () =>
      this.#testbed.watch.isConverged(this.#testbed.ids),
    )
  }

  #letClientsIn(): void {
    const { lanes, scene } = this.#options
    const { all, machines, pki, timing } = this.#testbed
    this.#clients.start({
      hosts: all.map(hostOf),
      absent: all.filter((machine) => !machines.includes(machine)).map(({ id }) => id),
      authority: pki.authority,
      holdsBack: scene === undefined,
      lifetime: timing.ticketLifetime * 1000,
      certificates: pki.certificates.map((each) => ({
        ...each,
        chain: readFileSync(each.certificate, 'utf8'),
      })),
      ...(lanes === undefined ? {} : { lanes }),
    })
    if (this.#view !== undefined) this.#clients.see(this.#view)
  }

  /** What happens to the staples happens beside the rotations. */
  #raiseCurtain(): void {
    const { progress, faults } = this.#options
    if (faults?.withoutShow === true || this.#testbed.stapled.length === 0) return
    const { signal } = this.#curtain
    const parts = this.#options.scene === undefined ? 'all' : 'first'
    this.#show = new StapleScenario({
      testbed: this.#testbed,
      clients: this.#clients,
      progress,
      signal,
      parts,
    })
    void this.#show.play()
  }

  /** Beside the rotations, which go on until it is over. */
  #playScene(): void {
    const { scene, progress } = this.#options
    if (scene === undefined) return
    const { signal } = this.#curtain
    const view = () => this.#view
    this.#scene = new ScenePlay()
    void this.#scene.play(SCENES[scene], {
      testbed: this.#testbed,
      clients: this.#clients,
      progress,
      signal,
      view,
    })
  }

  async #rotate(rotations: number): Promise<void> {
    const { timing } = this.#testbed
    const generation = () => this.#testbed.watch.current?.generation ?? 0
    const target = rotations + 1
    const isStalled = () => Date.now() - this.#committedAt > STALLED * timing.every * 1000
    const isPlaying = () => this.#scene?.isOver === false
    while (isPlaying() || (generation() < target && !isStalled() && !this.#isEnough())) {
      await this.#step(
        () => `generation ${generation()} of ${target}${this.#view?.delivering ? ', delivering' : ''}`,
      )
    }
  }

  /** Whether there are tickets under a key that does not encrypt any more. */
  #isSuperseded(): boolean {
    return (this.#view?.committed ?? 0) > 1
  }

  #isEnough(): boolean {
    return this.#options.faults?.isEnough?.(this.#clients) === true
  }

  /** The functions get their configured intervals back, the last generation its convergence, and what runs its end. */
  async #comeToRest(): Promise<void> {
    const { watch, ids } = this.#testbed
    const patience = patienceWith(this.#options.fleet) * 1000
    this.#testbed.comeToRest()
    const isMoving = () => !watch.isConverged(ids) || this.#view?.delivering !== false
    await this.#while(isMoving, 'waiting for the last confirmation', patience)
    const isUntried = () =>
      this.#isSuperseded() && this.#clients.tally.moments['after the next advance'] === 0
    await this.#while(isUntried, 'letting clients come back with tickets of the generation before')
    await this.#while(() => this.#show?.isOver === false, 'waiting for the last staples', Infinity)
    if (this.#scene !== undefined) await this.#awaitStaples()
    let isStill = false
    void this.#testbed.standStill().then(() => {
      isStill = true
    })
    await this.#while(() => !isStill, 'letting what was begun come to its end')
    const settled = Date.now() + DRAINING + 200
    while (Date.now() < settled) await this.#step(() => 'letting old worker processes leave')
  }

  /** A machine that left or came back in a scene: the staple function has judged the fleet as it is now. */
  async #awaitStaples(): Promise<void> {
    const { aws, set, stapled } = this.#testbed
    const deadline = Date.now() + patienceWith(this.#options.fleet) * 1000
    let isSettled = stapled.length === 0
    while (!isSettled && Date.now() < deadline) {
      const { payload } = await aws.invoke(set.functionName, { action: 'status' })
      const { members = 0, confirmed = 0 } = (payload as { readonly fleet?: Confirmation }).fleet ?? {}
      isSettled = members === stapled.length && confirmed === members
      await this.#step(() => 'waiting for the staple function to judge the fleet as it is')
    }
  }

  /** Waits for as long as something is so, but no longer than it may, nor once what was seen is enough. */
  async #while(isSo: () => boolean, what: string, milliseconds = 60_000): Promise<void> {
    const deadline = Date.now() + milliseconds
    while (isSo() && !this.#isEnough() && Date.now() < deadline) await this.#step(() => what)
  }

  /** One look at what is, told to the clients and to the user. */
  async #step(state: () => string): Promise<void> {
    stopIfAsked(this.#options.signal)
    const view = this.#testbed.watch.look(this.#testbed.ids)
    if (JSON.stringify(view) !== JSON.stringify(this.#view)) {
      if (view.committed !== this.#view?.committed) this.#committedAt = Date.now()
      this.#view = view
      this.#clients.see(view)
      await this.#noteConvergence(view)
    }
    // A narrow terminal cuts the end off: what matters most comes first.
    this.#options.progress.state(`${this.#score()}; ${state()}`)
    await pause(LOOK_EVERY)
  }

  async #noteConvergence({ committed, confirmed }: RingView): Promise<void> {
    if (confirmed < committed || confirmed <= this.#announced) return
    this.#announced = confirmed
    const name = this.#testbed.watch.current?.current.name.slice(0, 8)
    const took = ((Date.now() - this.#committedAt) / 1000).toFixed(1)
    const members = this.#testbed.members.length
    this.#options.progress.say(
      `generation ${confirmed}: ${allMachines(members, 'encrypt')} with ${name}… after ${took} s; ${this.#score()}`,
    )
    await this.#options.faults?.onConverged?.(this.#testbed, confirmed)
  }

  #score(): string {
    const { tried, reused, lost, failed } = totalOf(this.#clients.tally)
    const { retired } = this.#clients.tally
    const bad = failed === 0 ? '' : `, ${failed} failed`
    return `${lost} lost${bad} of ${tried} tried, ${reused} reused; ${retired.accepted} of ${retired.tried} retired accepted`
  }

  /** @throws RehearsalError when it takes longer than `seconds`. */
  async #until(what: string, seconds: number, isSo: () => boolean): Promise<void> {
    const deadline = Date.now() + seconds * 1000
    while (!isSo()) {
      if (Date.now() > deadline)
        throw new RehearsalError(`${what}: still so after ${seconds} s. ${this.#lastWords()}`)
      await this.#step(() => what)
    }
  }

  /** What the functions and the instances said last, to explain a stall. */
  #lastWords(): string {
    const { logs, commands } = this.#testbed.aws.history
    const said = logs.slice(-3).map(({ text }) => text.trim())
    const results = (commands.at(-1)?.invocations ?? []).map(({ instance, stdout, stderr }) => {
      return `${instance}: ${stdout.trim() || stderr.trim()}`
    })
    return [...said, ...results].join('\n')
  }
}
