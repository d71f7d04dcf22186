import { readFileSync } from 'node:fs'
import { mapConcurrently } from '../../lambda/kernel/map-concurrently.ts'
import type { Clients } from './clients/clients.ts'
import { DRAINING } from './clients/ticket-validity.ts'
import type { Faults } from './faults.ts'
import { hostOf } from './machines/fleet.ts'
import type { Options } from './options.ts'
import type { OwnConfigurations } from './own/own-configuration.ts'
import { survey } from './own/survey.ts'
import { RunRecord } from './page/record.ts'
import type { Progress } from './progress.ts'
import { stopIfAsked } from './rehearsal-error.ts'
import { judge, type Result } from './report/judge.ts'
import { askStatus, sight } from './report/sighting.ts'
import { RunObserver } from './run-observer.ts'
import type { Scene } from './scenes/scene.ts'
import { ScenePlay } from './scenes/scene-play.ts'
import { SCENES } from './scenes/scenes.ts'
import { revoke } from './show/revocation.ts'
import { straggler } from './show/straggler.ts'
import { StapleScenario } from './staples/scenario.ts'
import type { Testbed } from './testbed.ts'
import { patienceWith, type Timing } from './timing.ts'

export interface Rehearsing extends Omit<Options, 'configurations'> {
  /** What the machines of a kind run in place of its example. */
  readonly own?: OwnConfigurations | undefined
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

/** Machines that come up at a time: as many as the processors that a rehearsal counts on. */
const BOOTING = 2
/** Without an advance for so many intervals something is wrong: what there is, is judged. */
const STALLED = 10

/** One run over a testbed: its machines come up, its ring rotates while clients come and go, and what they saw is judged. */
export class Run {
  readonly #testbed: Testbed
  readonly #clients: Clients
  readonly #options: Rehearsing
  readonly #startedAt = Date.now()
  readonly #observer: RunObserver
  readonly #record = new RunRecord()
  #staples: StapleScenario | undefined
  #scene: ScenePlay | undefined
  #revokeTrouble: string | undefined
  /** Ends early what goes on beside the rotations. */
  readonly #ending = new AbortController()

  constructor(testbed: Testbed, clients: Clients, options: Rehearsing) {
    this.#testbed = testbed
    this.#clients = clients
    this.#options = { ...options, progress: this.#record.listenTo(options.progress) }
    this.#observer = new RunObserver({ ...this.#options, testbed, clients, record: this.#record })
  }

  async result(): Promise<Result> {
    try {
      return await this.#play()
    } finally {
      this.#ending.abort()
    }
  }

  async #play(): Promise<Result> {
    const { progress, rotations, faults } = this.#options
    progress.say(`the stack runs on a loopback AWS at ${this.#testbed.aws.endpoint}`)
    await this.#testbed.tickOnce()
    const hasRing = () => this.#testbed.watch.current !== undefined
    await this.#observer.until('waiting for the first tick to make generation 1', 60, hasRing)
    await this.#raiseFleet()
    await faults?.onStart?.(this.#testbed)
    await this.#survey()
    this.#letClientsIn()
    this.#playStaples()
    this.#playScene()
    await this.#rotate(rotations)
    await this.#comeToRest()
    progress.state('trying every retired ticket')
    const tally = await this.#clients.finish()
    const { said = [], trouble } = this.#staples ?? {}
    const { told = [] } = this.#scene ?? {}
    const clients = this.#clients
    const sighting = await sight(this.#testbed, clients.samples, progress)
    // Its generation is in no figure of the report but its own.
    const shown = this.#options.show ? { straggler: told, revoke: await this.#revoke() } : undefined
    const troubles = [trouble, this.#scene?.trouble, this.#revokeTrouble].filter((each) => each !== undefined)
    const seen = {
      tally,
      clients,
      record: this.#record,
      startedAt: this.#startedAt,
      said,
      told,
      sighting,
      shown,
      troubles,
    }
    const result = judge(this.#testbed, { ...this.#options, ...seen })
    progress.end()
    return result
  }

  /** Without its outcome where it failed: that is told as trouble, and judged with all else. */
  async #revoke() {
    const { progress, signal } = this.#options
    try {
      return await revoke({ testbed: this.#testbed, observer: this.#observer, progress })
    } catch (error) {
      stopIfAsked(signal)
      this.#revokeTrouble = `the revoke: ${(error as Error).message}`
      return undefined
    }
  }

  /** What befalls the fleet meanwhile. */
  get #befalls(): Scene | undefined {
    const { scene, show } = this.#options
    if (scene !== undefined) return SCENES[scene]
    return show === true ? straggler : undefined
  }

  async #raiseFleet(): Promise<void> {
    const { progress } = this.#options
    await mapConcurrently(this.#testbed.machines, BOOTING, async (machine) => {
      stopIfAsked(this.#options.signal)
      progress.state(`booting ${machine.server} on ${machine.id}`)
      await this.#testbed.bringUp(machine)
      const behind = machine.proxyProtocol ? ', behind PROXY protocol' : ''
      progress.say(
        `${machine.id} up: ${machine.server} on port ${machine.publicPort}${behind}, ${machine.agent} agent`,
      )
    })
    this.#testbed.runSchedules()
    const patience = patienceWith(this.#options.fleet)
    await this.#observer.until('waiting for the fleet to confirm generation 1', patience, () =>
      this.#testbed.watch.isConverged(this.#testbed.ids),
    )
  }

  /** What configurations of the user's take. */
  async #survey(): Promise<void> {
    const { doors, said } = await survey(this.#testbed.machines.filter(({ own }) => own !== undefined))
    for (const line of said) this.#options.progress.say(line)
    this.#testbed.doors = doors
  }

  #letClientsIn(): void {
    const { lanes, scene } = this.#options
    const { all, machines, pki, timing, doors, versions } = this.#testbed
    this.#clients.start({
      hosts: all.map((machine) => ({ ...hostOf(machine), doors: doors.get(machine.id) })),
      versions,
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
    if (this.#observer.view !== undefined) this.#clients.see(this.#observer.view)
  }

  /** What happens to the staples happens beside the rotations. */
  #playStaples(): void {
    const { progress, faults } = this.#options
    if (faults?.withoutStapleScenario === true || this.#testbed.stapled.length === 0) return
    const { signal } = this.#ending
    const parts = this.#options.scene === undefined ? 'all' : 'first'
    this.#staples = new StapleScenario({
      testbed: this.#testbed,
      clients: this.#clients,
      progress,
      signal,
      parts,
    })
    void this.#staples.play()
  }

  /** Beside the rotations, which go on until it is over. */
  #playScene(): void {
    const { progress } = this.#options
    const scene = this.#befalls
    if (scene === undefined) return
    const { signal } = this.#ending
    const view = () => this.#observer.view
    this.#scene = new ScenePlay()
    void this.#scene.play(scene, {
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
    const isStalled = () => Date.now() - this.#observer.committedAt > STALLED * timing.every * 1000
    const isPlaying = () => this.#scene?.isOver === false
    const isOn = () => !this.#isBroken && generation() < target
    while (isPlaying() || (isOn() && !isStalled() && !this.#observer.isEnough())) {
      await this.#observer.step(
        () =>
          `generation ${generation()} of ${target}${this.#observer.view?.delivering ? ', delivering' : ''}`,
      )
    }
  }

  /** Whether its scene came to no end: what that left behind is waited for no more. */
  get #isBroken(): boolean {
    return this.#scene?.trouble !== undefined
  }

  /** Whether there are tickets under a key that does not encrypt any more. */
  #isSuperseded(): boolean {
    return (this.#observer.view?.committed ?? 0) > 1
  }

  /** The functions get their configured intervals back, the last generation its convergence, and what runs its end. */
  async #comeToRest(): Promise<void> {
    const { watch, ids } = this.#testbed
    const patience = patienceWith(this.#options.fleet) * 1000
    this.#testbed.comeToRest()
    const isMoving = () =>
      !this.#isBroken && (!watch.isConverged(ids) || this.#observer.view?.delivering !== false)
    await this.#observer.while(isMoving, 'waiting for the last confirmation', patience)
    const isUntried = () =>
      !this.#isBroken && this.#isSuperseded() && this.#clients.tally.moments['after the next advance'] === 0
    await this.#observer.while(isUntried, 'letting clients come back with tickets of the generation before')
    await this.#observer.while(
      () => this.#staples?.isOver === false,
      'waiting for the last staples',
      Infinity,
    )
    if (this.#befalls !== undefined && !this.#isBroken) await this.#awaitVerdicts()
    let isStill = false
    void this.#testbed.standStill().then(() => {
      isStill = true
    })
    await this.#observer.while(() => !isStill, 'letting what was begun come to its end')
    const settled = Date.now() + DRAINING + 200
    while (Date.now() < settled) await this.#observer.step(() => 'letting old worker processes leave')
  }

  /** A machine that left or came back meanwhile: both functions have judged the fleet as it is now. */
  async #awaitVerdicts(): Promise<void> {
    const { ring, set, stapled, members } = this.#testbed
    const deadline = Date.now() + patienceWith(this.#options.fleet) * 1000
    // A function of its own answers for the ring, so that no call of this is counted as the rotation's.
    const waiting = [
      { functionName: ring.statusName, wanted: members.length },
      { functionName: set.functionName, wanted: stapled.length },
    ].filter(({ wanted }) => wanted > 0)
    while (waiting.length > 0 && Date.now() < deadline) {
      const [{ functionName, wanted } = { functionName: '', wanted: 0 }] = waiting
      // Where it fails, what it has not judged is what the run is judged by.
      const { fleet } = await askStatus(this.#testbed, { functionName })
      if (fleet?.members === wanted && fleet.confirmed === wanted) waiting.shift()
      await this.#observer.step(() => 'waiting for the functions to judge the fleet as it is')
    }
  }
}
