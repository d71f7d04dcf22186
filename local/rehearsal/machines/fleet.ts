import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { ResultLine } from '../../../lambda/ring/result-line.ts'
import { spawnGroup } from '../../process-group.ts'
import type { Host } from '../clients/messages.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import { resultLineOf } from '../ring/result-line.ts'
import type { ExecTrace } from '../secrecy/exec-trace.ts'
import type { Workspace } from '../workspace.ts'
import { type Fleet, isStapled, type Kind, kindsOf, TERMINATORS, terminatorOf } from './kinds.ts'
import type { Machine } from './machine.ts'
import type { Pki } from './pki.ts'
import { freePorts } from './ports.ts'

/** The machine as its clients know it. */
export function hostOf({ id, server, publicPort, proxyProtocol, pki }: Machine): Host {
  const { speaks } = TERMINATORS[server]
  const { serverName } = pki
  return { id, server, port: publicPort, proxyProtocol, serverName, speaks, stapled: isStapled(server) }
}

/** What the machines know of their ring. */
export interface RingOfFleet {
  readonly name: string
  /** Seconds. */
  readonly ticketLifetime: number
}

/** What the machines know of their set of certificates. */
interface SetOfFleet {
  readonly name: string
  /** Prefix of the parameters that hold the staples. */
  readonly store: string
}

/** Plans the machines and writes their configuration: nothing runs yet. */
export async function planFleet(
  fleet: Fleet,
  ring: RingOfFleet,
  pki: Pki,
  workspace: Workspace,
  set?: SetOfFleet,
): Promise<readonly Machine[]> {
  const machines: Machine[] = []
  for (const server of kindsOf(fleet)) {
    const last = (fleet[server] ?? 0) - 1
    for (let index = 0; index <= last; index += 1) {
      // The last of two or more stands behind PROXY protocol, where its kind can.
      const proxyProtocol = TERMINATORS[server].proxyProtocol && index > 0 && index === last
      const machine = await planMachine(server, {
        proxyProtocol,
        pki,
        workspace,
        agent: index === 1 ? 'old' : 'current',
      })
      equip(machine, ring)
      if (set !== undefined) equipWithStaples(machine, set)
      machines.push(machine)
    }
  }
  return machines
}

interface Plan {
  readonly proxyProtocol: boolean
  readonly agent: Machine['agent']
  readonly pki: Pki
  readonly workspace: Workspace
}

async function planMachine(server: Kind, { proxyProtocol, agent, pki, workspace }: Plan): Promise<Machine> {
  const id = `i-0${randomBytes(8).toString('hex')}`
  const [publicPort, besidePort, ownPort] = (await freePorts(3)) as [number, number, number]
  return {
    id,
    server,
    agent,
    proxyProtocol,
    publicPort,
    plainPort: proxyProtocol ? besidePort : publicPort,
    ownPort,
    directory: join(workspace.disk, id),
    memory: join(workspace.memory, id),
    pki,
    owner: userInfo().username,
  }
}

/** Makes a machine's folders, its server's configuration and /etc/ticketring of its own. */
function equip(machine: Machine, { name, ticketLifetime }: RingOfFleet): void {
  mkdirSync(confDirectory(machine), { recursive: true })
  mkdirSync(machine.memory, { recursive: true, mode: 0o700 })
  const terminator = terminatorOf(machine)
  terminator.configure(machine)
  const settings = {
    SECRET: `ticketring/${name}`,
    TICKET_LIFETIME: String(ticketLifetime),
    RUN_DIR: join(machine.memory, 'run'),
    SERVER: machine.server,
    ...terminator.settings(machine),
  }
  writeSettings(machine, `${name}.conf`, settings)
}

function equipWithStaples(machine: Machine, { name, store }: SetOfFleet): void {
  const own = terminatorOf(machine).stapleSettings?.(machine)
  if (own === undefined) return
  writeSettings(machine, `${name}.staples.conf`, {
    STORE: store,
    RUN_DIR: join(machine.memory, 'run.staples'),
    SERVER: machine.server,
    ...own,
  })
}

function writeSettings(machine: Machine, file: string, settings: Readonly<Record<string, string>>): void {
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`)
  writeFileSync(join(confDirectory(machine), file), lines.join(''))
}

function confDirectory(machine: Machine): string {
  return join(machine.directory, 'etc')
}

/** What the machine's program finds in its environment, apart from what Systems Manager adds. */
export function environmentOf(machine: Machine): Readonly<Record<string, string>> {
  return {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: machine.directory,
    TICKETRING_CONF_DIR: confDirectory(machine),
    TICKETRING_LIB: join(machine.directory, 'lib'),
  }
}

/** The program that the machine's documents installed, which its boot units run. */
function programOf(machine: Machine, command: 'ring' | 'staples'): string {
  return join(environmentOf(machine).TICKETRING_LIB as string, `current-${command}`, 'ticketring.pyz')
}

/** What is delivered to a machine: a ring, and staples where its kind takes any. */
export function commandsOf({ server }: Machine): readonly ('ring' | 'staples')[] {
  return isStapled(server) ? ['ring', 'staples'] : ['ring']
}

/** Whether its documents have installed what boot units run. */
export function hasPrograms(machine: Machine): boolean {
  return commandsOf(machine).every((command) => existsSync(programOf(machine, command)))
}

/** Lines of a machine's own settings for its ring, from now on. */
export function amendSettings(
  machine: Machine,
  ring: string,
  settings: Readonly<Record<string, string>>,
): void {
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`)
  appendFileSync(join(confDirectory(machine), `${ring}.conf`), lines.join(''))
}

/**
 * What a boot unit does: puts a ring, or the staples of a set, in place before the terminator starts.
 * @param unit the command and the name of the ring or the set.
 * @returns its result line, of a ring.
 * @throws RehearsalError with the program's result line if it failed.
 */
export async function boot(
  machine: Machine,
  [command, name]: readonly ['ring' | 'staples', string],
  environment: Readonly<Record<string, string>>,
  trace: ExecTrace,
): Promise<ResultLine | undefined> {
  const argv = trace.wrap([programOf(machine, command), command, '--boot', name], `boot of ${machine.id}`)
  return succeed(machine, argv, environment, 'boot')
}

/** What the timer of a ring does. @throws RehearsalError as {@link boot}. */
export async function pullRing(
  machine: Machine,
  name: string,
  environment: Readonly<Record<string, string>>,
  trace: ExecTrace,
): Promise<ResultLine | undefined> {
  // It rests until State Manager is late, which here takes as long as anywhere.
  const longAgo = Date.now() / 1000 - 86_400
  utimesSync(join(machine.memory, 'run', 'asked'), longAgo, longAgo)
  const argv = trace.wrap([programOf(machine, 'ring'), 'ring', '--pull', name], `pull of ${machine.id}`)
  return succeed(machine, argv, environment, 'pull')
}

async function succeed(
  machine: Machine,
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  what: 'boot' | 'pull',
): Promise<ResultLine | undefined> {
  const { code, output } = await run(machine, argv, environment, `${what}.log`)
  const [line = ''] = output.match(/^\{.*\}$/gm)?.slice(-1) ?? []
  if (code === 0) return resultLineOf(line)
  throw new RehearsalError(
    `${machine.id} (${machine.server}) could not ${what}: ${output.trim().slice(-600)}`,
    `Its log is ${join(machine.directory, `${what}.log`)}`,
  )
}

async function run(
  machine: Machine,
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  log: string,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const file = join(machine.directory, log)
  const handle = openSync(file, 'a')
  try {
    const child = spawnGroup(argv, { env: environment, stdio: ['ignore', handle, handle] })
    const [code] = (await once(child, 'exit')) as [number | null]
    return { code, output: readFileSync(file, 'utf8') }
  } finally {
    closeSync(handle)
  }
}
