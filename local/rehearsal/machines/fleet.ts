import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { spawnGroup } from '../../process-group.ts'
import { KINDS, type Kind, type Options } from '../options.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import type { ExecTrace } from '../secrecy/trace.ts'
import type { Workspace } from '../workspace.ts'
import { haproxy } from './haproxy.ts'
import type { Machine, Terminator } from './machine.ts'
import { nginx } from './nginx.ts'
import type { Pki } from './pki.ts'
import { freePorts } from './ports.ts'

const TERMINATORS: Readonly<Record<Kind, Terminator>> = { haproxy, nginx }

export function terminatorOf(machine: Machine): Terminator {
  return TERMINATORS[machine.server]
}

/** What the machines know of their ring. */
export interface RingOfFleet {
  readonly name: string
  /** Seconds. */
  readonly ticketLifetime: number
}

/** What the machines know of their set of certificates. */
export interface SetOfFleet {
  readonly name: string
  /** Prefix of the parameters that hold the staples. */
  readonly store: string
}

/** Plans the machines and writes their configuration: nothing runs yet. */
export async function planFleet(
  counts: Options['fleet'],
  ring: RingOfFleet,
  pki: Pki,
  workspace: Workspace,
  set?: SetOfFleet,
): Promise<readonly Machine[]> {
  const machines: Machine[] = []
  for (const server of KINDS) {
    for (let index = 0; index < counts[server]; index += 1) {
      // The last of two or more stands behind PROXY protocol.
      const proxyProtocol = index > 0 && index === counts[server] - 1
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
  const [publicPort, besidePort] = (await freePorts(2)) as [number, number]
  return {
    id,
    server,
    agent,
    proxyProtocol,
    publicPort,
    plainPort: proxyProtocol ? besidePort : publicPort,
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
  writeSettings(machine, `${name}.staples.conf`, {
    STORE: store,
    RUN_DIR: join(machine.memory, 'run.staples'),
    SERVER: machine.server,
    ...terminatorOf(machine).stapleSettings(machine),
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

/** Whether both documents have installed what boot units run. */
export function hasPrograms(machine: Machine): boolean {
  return (['ring', 'staples'] as const).every((command) => existsSync(programOf(machine, command)))
}

/**
 * What a boot unit does: puts a ring, or the staples of a set, in place before the terminator starts.
 * @param unit the command and the name of the ring or the set.
 * @throws RehearsalError with the program's result line if it failed.
 */
export async function boot(
  machine: Machine,
  [command, name]: readonly ['ring' | 'staples', string],
  environment: Readonly<Record<string, string>>,
  trace: ExecTrace,
): Promise<void> {
  const argv = trace.wrap([programOf(machine, command), command, '--boot', name], `boot of ${machine.id}`)
  const { code, output } = await run(machine, argv, environment, 'boot.log')
  if (code === 0) return
  throw new RehearsalError(
    `${machine.id} (${machine.server}) could not boot: ${output.trim().slice(-600)}`,
    `Its log is ${join(machine.directory, 'boot.log')}`,
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
