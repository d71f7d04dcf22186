import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { terminatorOf } from './kinds.ts'
import type { Machine } from './machine.ts'

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

/** Makes a machine's folders, its server's configuration and /etc/ticketring of its own. */
export function equip(machine: Machine, { name, ticketLifetime }: RingOfFleet): void {
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

/** The same for its staples, where its kind takes any. */
export function equipWithStaples(machine: Machine, { name, store }: SetOfFleet): void {
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

/** Its `/etc/ticketring`. */
export function confDirectory(machine: Machine): string {
  return join(machine.directory, 'etc')
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
