import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Ring } from '../lambda/ring/ring.ts'
import { serialiseRing } from '../lambda/ring/ring.ts'
import { killGroup, spawnGroup } from '../local/process-group.ts'
import type { Host } from '../local/rehearsal/clients/messages.ts'
import { environmentOf, planFleet, terminatorOf } from '../local/rehearsal/machines/fleet.ts'
import type { Machine } from '../local/rehearsal/machines/machine.ts'
import { makePki, type Pki } from '../local/rehearsal/machines/pki.ts'
import type { Kind } from '../local/rehearsal/options.ts'
import { forgetDisk, forgetMemory, openWorkspace } from '../local/rehearsal/workspace.ts'
import type { Scope } from '../local/scope.ts'
import { CREDENTIALS, Endpoint } from '../test/agent/endpoint.ts'
import { AGENT, PYTHON } from '../test/agent/program.ts'

export const RING = 'edge'
/** What the servers of docs/examples tell clients to keep a ticket for, in seconds. */
const TICKET_LIFETIME = 7200

/** Real terminators on loopback, set up as the rehearsal does, and the Secrets Manager that their script asks. */
export class Fleet {
  readonly machines: readonly Machine[]
  readonly pki: Pki
  readonly #endpoint: Endpoint
  readonly #scope: Scope

  private constructor(machines: readonly Machine[], pki: Pki, endpoint: Endpoint, scope: Scope) {
    this.machines = machines
    this.pki = pki
    this.#endpoint = endpoint
    this.#scope = scope
  }

  /** Boots every machine by the instance's own script, then starts its terminator. */
  static async start(counts: Readonly<Record<Kind, number>>, ring: Ring, scope: Scope): Promise<Fleet> {
    const workspace = openWorkspace()
    scope.defer(() => forgetDisk(workspace))
    scope.defer(() => forgetMemory(workspace))
    const pki = makePki(workspace.disk)
    const endpoint = await Endpoint.start()
    scope.defer(() => endpoint.stop())
    const of = { name: RING, ticketLifetime: TICKET_LIFETIME }
    const fleet = new Fleet(await planFleet(counts, of, pki, workspace), pki, endpoint, scope)
    fleet.publish(ring)
    await Promise.all(fleet.machines.map((machine) => fleet.#bringUp(machine)))
    return fleet
  }

  get hosts(): readonly Host[] {
    return this.machines.map(({ id, server, publicPort, proxyProtocol, pki }) => ({
      id,
      server,
      port: publicPort,
      serverName: pki.serverName,
      proxyProtocol,
    }))
  }

  /** Makes this what AWSCURRENT names. */
  publish(ring: Ring): void {
    this.#endpoint.secret = serialiseRing(ring)
  }

  /** What Run Command has a machine do. @throws Error with the script's own words if it failed. */
  async apply(machine: Machine, generation: number): Promise<void> {
    await this.#program(machine, [RING, String(generation)])
  }

  async #bringUp(machine: Machine): Promise<void> {
    await this.#program(machine, ['--boot', RING])
    const path = `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`
    const environment = { PATH: path, HOME: machine.directory }
    const server = spawnGroup(terminatorOf(machine).command(machine), { env: environment, stdio: 'ignore' })
    this.#scope.defer(() => end(server))
    for (const port of [machine.publicPort, machine.plainPort]) await listening(port, server)
  }

  async #program(machine: Machine, words: readonly string[]): Promise<void> {
    const child = spawnGroup([PYTHON, '-I', AGENT, 'ring', ...words], {
      env: { ...environmentOf(machine), ...this.#aws() },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#scope.defer(() => end(child))
    const said: string[] = []
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => said.push(String(text)))
    const [code] = (await once(child, 'close')) as [number | null]
    if (code === 0) return
    throw new Error(`the script failed on ${machine.server} ${machine.id}: ${said.join('').trim()}`)
  }

  #aws(): Record<string, string> {
    return {
      AWS_ENDPOINT_URL: this.#endpoint.url,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `${this.#endpoint.url}/imds`,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_SESSION_TOKEN: CREDENTIALS.sessionToken,
    }
  }
}

/** SIGTERM, and SIGKILL for one that does not listen. */
async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const gone = once(server, 'exit')
  server.kill('SIGTERM')
  const inTime = await Promise.race([gone.then(() => true), pause(5_000, false, { ref: false })])
  if (inTime) return
  killGroup(server)
  await gone
}

async function listening(port: number, server: ChildProcess): Promise<void> {
  for (const deadline = Date.now() + 10_000; ; await pause(25)) {
    if (await takesConnections(port)) return
    if (server.exitCode !== null || Date.now() > deadline)
      throw new Error(`a terminator does not listen on port ${port} (exit ${server.exitCode})`)
  }
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
