import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import type { ResultLine } from '../../../lambda/ring/result-line.ts'
import { spawnGroup } from '../../process-group.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import { resultLineOf } from '../ring/result-line.ts'
import type { ExecTrace } from '../secrecy/exec-trace.ts'
import { takesStaples } from './kinds.ts'
import type { Machine } from './machine.ts'
import { confDirectory } from './own-settings.ts'

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
export function commandsOf(machine: Machine): readonly ('ring' | 'staples')[] {
  return takesStaples(machine) ? ['ring', 'staples'] : ['ring']
}

/** Whether its documents have installed what boot units run. */
export function hasPrograms(machine: Machine): boolean {
  return commandsOf(machine).every((command) => existsSync(programOf(machine, command)))
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
