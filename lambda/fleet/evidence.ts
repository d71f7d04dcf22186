import { isRefusal, messageOf } from '../kernel/errors.ts'
import { type Cause, OBJECTED, UNHEARD, UNREACHED } from './cause.ts'
import type { Serving } from './result-line.ts'

/** What Run Command says of one instance of one command. */
export interface Invocation {
  readonly id: string
  /** StatusDetails of ListCommandInvocations. */
  readonly status: string
  /** The plug-in's output: standard output, then, after a separator, standard error. */
  readonly output: string
  readonly finishedAt?: Date
}

export interface Unconfirmed extends Cause {
  readonly confirmed: false
  /** True if the instance itself spoke: that outweighs what it said before. */
  readonly spoke: boolean
  /** True if the document ran there: then it failed, else it was not reached. */
  readonly ran: boolean
}

/**
 * Lets an instance speak, if it had the chance to. Does not throw: whatever its answer is, it is that instance's, and the
 * others are heard.
 * @param judgeOutput judges what it left on standard output; may throw, `result-line-malformed` above all.
 */
export function hear<V>(invocation: Invocation, judgeOutput: (stdout: string) => V): V | Unconfirmed {
  try {
    const status = normalise(invocation.status)
    const silence = SILENT.get(status)
    if (silence !== undefined)
      return { confirmed: false, ...silence, spoke: false, ran: status === RAN_OUT_OF_TIME }
    return judgeOutput(standardOutput(invocation.output))
  } catch (error) {
    // Whatever it is about one machine's answer, it is that machine's.
    const came = isRefusal(error, 'result-line-malformed') ? error.came : `no line: ${messageOf(error)}`
    return refused({ code: OBJECTED, detail: `${invocation.status}: its answer was ${came}` })
  }
}

/** The verdict on an instance that spoke, and said something else than it was to. */
export function refused(cause: Cause): Unconfirmed {
  return { confirmed: false, ...cause, spoke: true, ran: true }
}

/** The agent appends standard error, behind this line, to what ListCommandInvocations calls Output. */
function standardOutput(output: string): string {
  const [stdout = ''] = output.split(/^-+ERROR-+$/m)
  return stdout
}

function normalise(status: string): string {
  return status.replaceAll(' ', '').toLowerCase()
}

/** Of an instance that no command has brought a word of. */
export const NOT_HEARD: Cause = { code: UNHEARD, detail: 'has not answered' }
const RAN_OUT_OF_TIME = 'executiontimedout'

function unreached(detail: string): Cause {
  return { code: UNREACHED, detail }
}

/** Whether it has yet to end there. */
export function isOpen({ status }: Pick<Invocation, 'status'>): boolean {
  return OPEN.has(normalise(status))
}

const OPEN: ReadonlySet<string> = new Set(['pending', 'inprogress', 'delayed', 'cancelling'])

/** Statuses under which an instance had no chance to speak. Source: Systems Manager user guide, command statuses. */
const SILENT: ReadonlyMap<string, Cause> = new Map([
  ['pending', NOT_HEARD],
  ['inprogress', NOT_HEARD],
  ['delayed', NOT_HEARD],
  ['deliverytimedout', unreached('delivery timed out')],
  [RAN_OUT_OF_TIME, unreached('the script ran out of time')],
  ['timedout', unreached('timed out')],
  ['undeliverable', unreached('undeliverable')],
  ['terminated', unreached('was not reached before the command ended')],
  ['cancelled', unreached('the command was cancelled')],
  ['cancelling', unreached('the command was cancelled')],
  ['invalidplatform', unreached('the document does not fit its platform')],
  ['accessdenied', unreached('AccessDenied: the agent may not run the document')],
])

/** What the instances said of one or more commands. */
export type Evidence<V extends Heard> = ReadonlyMap<string, V>

/** The least that every verdict on an instance says. */
export type Heard =
  | ({
      readonly confirmed: true
      /** True if the instance had to change what it held. */
      readonly changed?: boolean
    } & Serving)
  | Unconfirmed

/** Adds older evidence: the last time an instance spoke counts, and silence takes nothing back. */
export function withOlder<V extends Heard>(newer: Evidence<V>, older: Evidence<V>): Evidence<V> {
  const joined = new Map(older)
  for (const [id, verdict] of newer) {
    const silent = !verdict.confirmed && !verdict.spoke
    if (!silent || !joined.has(id)) joined.set(id, verdict)
  }
  return joined
}
