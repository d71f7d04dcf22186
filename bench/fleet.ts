import { once } from 'node:events'
import { join } from 'node:path'
import { lighttpdKeys } from '../infra/servers/lighttpd.ts'
import { patienceSettings } from '../infra/servers/patience.ts'
import type { Ring } from '../lambda/ring/ring.ts'
import { spawnGroup } from '../local/process-group.ts'
import type { Host } from '../local/rehearsal/clients/messages.ts'
import { hostOf, planFleet } from '../local/rehearsal/machines/fleet.ts'
import { environmentOf } from '../local/rehearsal/machines/installed-program.ts'
import { type Fleet as Counts, kindsOf } from '../local/rehearsal/machines/kinds.ts'
import type { Machine } from '../local/rehearsal/machines/machine.ts'
import { makePki, type Pki } from '../local/rehearsal/machines/pki.ts'
import { startServer, stopServer } from '../local/rehearsal/machines/running-server.ts'
import { forgetDisk, forgetMemory, openWorkspace } from '../local/rehearsal/workspace.ts'
import type { Scope } from '../local/scope.ts'
import { PYTHON } from '../test/agent/program.ts'
import { writeDeliveredProgram } from './delivered-program.ts'
import { RingSecret } from './ring-secret.ts'

export const RING = 'edge'
/** What the servers of docs/examples tell clients to keep a ticket for, in seconds. */
const TICKET_LIFETIME = 7200

/** A tracer costs time, which is measured here. */
const UNTRACED = { wrap: (argv: readonly string[]) => argv }

/** As a ring's document has it for the kind that takes minutes. */
const PATIENCE = Object.entries(patienceSettings(lighttpdKeys.longer ?? 0))
  .map(([name, value]) => `${name}=${value}\n`)
  .join('')

/** Real terminators on loopback, set up as the rehearsal does, and the loopback AWS that they fetch from. */
export class Fleet {
  readonly machines: readonly Machine[]
  readonly pki: Pki
  readonly #secret: RingSecret
  readonly #scope: Scope
  /** Directory of the program. */
  readonly #program: string

  private constructor(
    machines: readonly Machine[],
    pki: Pki,
    secret: RingSecret,
    scope: Scope,
    program: string,
  ) {
    this.machines = machines
    this.pki = pki
    this.#secret = secret
    this.#scope = scope
    this.#program = program
  }

  /** Boots every machine by the instance's own script, then starts its terminator. */
  static async start(counts: Counts, ring: Ring, scope: Scope): Promise<Fleet> {
    const workspace = openWorkspace()
    scope.defer(() => forgetDisk(workspace))
    scope.defer(() => forgetMemory(workspace))
    const pki = makePki(workspace.disk)
    const secret = await RingSecret.start(RING, scope)
    const of = { name: RING, ticketLifetime: TICKET_LIFETIME }
    const program = join(workspace.disk, 'program')
    writeDeliveredProgram(program, kindsOf(counts))
    const machines = await planFleet(counts, of, pki, workspace)
    const fleet = new Fleet(machines, pki, secret, scope, program)
    fleet.publish(ring)
    await Promise.all(fleet.machines.map((machine) => fleet.#bringUp(machine)))
    return fleet
  }

  get hosts(): readonly Host[] {
    return this.machines.map(hostOf)
  }

  /** Makes this what AWSCURRENT names. */
  publish(ring: Ring): void {
    this.#secret.publish(ring)
  }

  /** What Run Command has a machine do. @throws Error with the script's own words if it failed. */
  async apply(machine: Machine, generation: number): Promise<void> {
    await this.#run(machine, [RING, String(generation)])
  }

  async #bringUp(machine: Machine): Promise<void> {
    await this.#run(machine, ['--boot', RING])
    const server = await startServer(machine, UNTRACED)
    this.#scope.defer(() => stopServer(server))
  }

  async #run(machine: Machine, words: readonly string[]): Promise<void> {
    const child = spawnGroup([PYTHON, '-IS', this.#program, 'ring', ...words], {
      env: { ...environmentOf(machine), ...this.#secret.environment, ...patienceOf(machine) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const said: string[] = []
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => said.push(String(text)))
    const [code] = (await once(child, 'close')) as [number | null]
    if (code === 0) return
    throw new Error(`the script failed on ${machine.server} ${machine.id}: ${said.join('').trim()}`)
  }
}

function patienceOf({ server }: Machine): Readonly<Record<string, string>> {
  return server === 'lighttpd' ? { TICKETRING_SETTINGS: PATIENCE } : {}
}
