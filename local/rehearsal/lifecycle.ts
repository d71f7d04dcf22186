import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { ResultLine } from '../../lambda/ring/result-line.ts'
import type { Instance } from '../aws/loopback.ts'
import { boot, commandsOf, environmentOf, hasPrograms, pullRing } from './machines/installed-program.ts'
import { takesStaples } from './machines/kinds.ts'
import type { Machine } from './machines/machine.ts'
import { amendSettings } from './machines/own-settings.ts'
import { startServer, stopServer } from './machines/running-server.ts'
import { RehearsalError } from './rehearsal-error.ts'
import type { TestbedParts } from './testbed-parts.ts'

/** Milliseconds within which a machine has to be served by its associations, on a busy processor too. */
const FIRST_CONTACT = 60_000

/** What becomes of machines: launched, gone down, up again, terminated. */
export class Lifecycle {
  readonly #parts: TestbedParts
  readonly #instances = new Map<string, Instance>()
  readonly #left = new Set<string>()

  constructor(parts: TestbedParts) {
    this.#parts = parts
  }

  /** In the order in which they were launched. */
  get instances(): readonly Instance[] {
    return [...this.#instances.values()]
  }

  /** The machine as Systems Manager sees it. */
  instanceOf({ id }: Machine): Instance {
    const instance = this.#instances.get(id)
    if (instance === undefined) throw new Error(`${id} is not launched`)
    return instance
  }

  isLaunched({ id }: Machine): boolean {
    return this.#instances.has(id)
  }

  /** Whether it was there and is no more. */
  hasLeft({ id }: Machine): boolean {
    return this.#left.has(id)
  }

  /**
   * Brings one machine up as in the real world: its associations install the program and put the files in place, it
   * restarts, its boot units do that again, its terminator starts, and only then is its agent online.
   * @returns what its ring's boot unit said.
   */
  async bringUp(machine: Machine): Promise<ResultLine | undefined> {
    const instance = this.#launch(machine)
    await this.#firstContact(machine)
    instance.lose()
    return this.#start(machine, instance)
  }

  /** It goes down, and what was on its tmpfs with it. */
  async goDown(machine: Machine): Promise<void> {
    const { servers } = this.#parts
    this.instanceOf(machine).lose()
    const at = servers.findIndex((server) => server.machine === machine)
    await Promise.all(servers.splice(at, 1).map(stopServer))
    for (const name of readdirSync(machine.memory))
      rmSync(join(machine.memory, name), { recursive: true, force: true })
  }

  /** It comes up again. @param settings of its own, from now on. @returns what its ring's boot unit said. */
  async comeUp(
    machine: Machine,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<ResultLine | undefined> {
    amendSettings(machine, this.#parts.ring.name, settings)
    const instance = this.#instances.get(machine.id)
    if (instance !== undefined) return this.#start(machine, instance)
    const launched = this.#launch(machine)
    launched.lose()
    return this.#start(machine, launched)
  }

  /** It leaves the roll call: stopped, or terminated. */
  leave(machine: Machine): void {
    this.instanceOf(machine).leave()
    this.#instances.delete(machine.id)
    this.#left.add(machine.id)
  }

  /** What its timer does: an ordinary run without Run Command. */
  async pull(machine: Machine): Promise<ResultLine | undefined> {
    const { environment } = this.instanceOf(machine)
    return pullRing(machine, this.#parts.ring.name, environment, this.#parts.trace)
  }

  #launch(machine: Machine): Instance {
    const { aws, ring, trace } = this.#parts
    const instance = aws.join({
      id: machine.id,
      tags: this.#tagsOf(machine),
      role: ring.fleetRoles[0] as string,
      agent: machine.agent,
      environment: environmentOf(machine),
      workdir: `${machine.directory}/orchestration`,
      wrap: (argv) => trace.wrap(argv, `program on ${machine.id}`),
    })
    this.#instances.set(machine.id, instance)
    this.#left.delete(machine.id)
    return instance
  }

  async #start(machine: Machine, instance: Instance): Promise<ResultLine | undefined> {
    const { ring, set, trace, servers } = this.#parts
    const said: (ResultLine | undefined)[] = []
    for (const command of commandsOf(machine)) {
      const { name } = command === 'ring' ? ring : set
      said.push(await boot(machine, [command, name], instance.environment, trace))
    }
    servers.push(await startServer(machine, trace))
    instance.restore()
    return said[0]
  }

  /** The machine that each new generation goes to first, where the ring has a canary. */
  get canary(): Machine | undefined {
    const { ring, machines } = this.#parts
    return ring.canary === undefined ? undefined : machines[0]
  }

  /** A ring and a set have one tag, or a fleet some machines that only the ring is for. */
  #tagsOf(machine: Machine): Readonly<Record<string, string>> {
    const { ring, set } = this.#parts
    const first = machine === this.canary && ring.canary !== undefined ? [ring.canary] : []
    const told = [ring.targets, ...(takesStaples(machine) ? [set.targets] : []), ...first]
    const tags = told.map(({ tag, values }) => [tag, values[0] as string])
    return { Name: `${ring.name} ${machine.server}`, ...Object.fromEntries(tags) }
  }

  /** A machine that registers is served by its associations at once, though nothing serves there yet. */
  async #firstContact(machine: Machine): Promise<void> {
    const { associations } = this.#parts.aws.history
    const ofIt = () => associations.filter((each) => each.instance === machine.id)
    for (let waited = 0; waited < FIRST_CONTACT; waited += 50) {
      const ended = ofIt().filter(({ endedAt }) => endedAt !== undefined)
      if (ended.length >= commandsOf(machine).length && hasPrograms(machine)) return
      await pause(50)
    }
    const said = ofIt().map(({ stdout }) => stdout.trim())
    throw new RehearsalError(
      `${machine.id} was not served by its associations within ${FIRST_CONTACT / 1000} s: ${said.join(' ')}`,
      `What they printed is below ${machine.directory}`,
    )
  }
}
