import { nearestName } from '../lambda/kernel/nearest-name.ts'
import type { Command, ExitCode, Io } from './command.ts'
import { DOCUMENT } from './document/command.ts'
import { HISTORY } from './history/command.ts'
import { OFFBOARD } from './offboard/command.ts'
import { PREFLIGHT } from './preflight/command.ts'
import { PROBE } from './probe/command.ts'
import { DELIVER, PROMOTE, REVOKE, ROTATE, STATUS } from './ring/commands.ts'
import { PAUSE, QUARANTINE, RESUME, ROLLBACK } from './ring/control-commands.ts'
import { ServiceError } from './service-error.ts'
import { shownText } from './shown-text.ts'
import { EXPLAIN } from './staples/explain.ts'
import { UsageError } from './usage-error.ts'

const COMMANDS: readonly Command[] = [
  STATUS,
  HISTORY,
  ROTATE,
  DELIVER,
  PROMOTE,
  REVOKE,
  PAUSE,
  RESUME,
  QUARANTINE,
  ROLLBACK,
  EXPLAIN,
  DOCUMENT,
  PREFLIGHT,
  OFFBOARD,
  PROBE,
]

const USAGE = `Usage: ticketring <command> [options]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join('\n')}

\`ticketring <command> --help\` has the options of each.
Exit code: 0 all is well, 1 it is not, 2 it cannot be told.`

/** Does what the words of a command line ask for. */
export async function main([name, ...rest]: readonly string[], streams: Io): Promise<ExitCode> {
  const io: Io = {
    ...streams,
    out: (text) => streams.out(shownText(text)),
    error: (text) => streams.error(shownText(text)),
    state: (text) => streams.state(shownText(text)),
  }
  if (name === undefined || isHelp(name)) {
    io.out(USAGE)
    return name === undefined ? 2 : 0
  }
  const command = COMMANDS.find((each) => each.name === name)
  if (command === undefined)
    return misunderstood(io, `No command ${JSON.stringify(name.slice(0, 64))}`, hintOf(name))
  if (rest.some(isHelp)) {
    io.out(command.usage)
    return 0
  }
  try {
    return await command.run(rest, io)
  } catch (error) {
    if (error instanceof ServiceError) return misunderstood(io, error.message, error.next)
    if (!(error instanceof UsageError)) throw error
    return misunderstood(io, error.message, `ticketring ${name} --help has the options`)
  }
}

function isHelp(word: string): boolean {
  return word === '--help' || word === '-h'
}

function hintOf(name: string): string {
  const names = COMMANDS.map((each) => each.name)
  const nearest = nearestName(name, names)
  return nearest === undefined ? `There is ${names.join(', ')}` : `Did you mean ${nearest}?`
}

function misunderstood(io: Io, what: string, next: string): ExitCode {
  io.error(`${what}\n${next}`)
  return 2
}
