import { isRefusal, messageOf } from '../kernel/errors.ts'
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

export interface Unconfirmed {
  readonly confirmed: false
  readonly reason: string
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
      return { confirmed: false, reason: silence, spoke: false, ran: status === RAN_OUT_OF_TIME }
    return judgeOutput(standardOutput(invocation.output))
  } catch (error) {
    // Whatever it is about one machine's answer, it is that machine's.
    const came = isRefusal(error, 'result-line-malformed') ? error.came : `no line: ${messageOf(error)}`
    return refused(`${invocation.status}: its answer was ${came}`)
  }
}

/** The verdict on an instance that spoke, and said something else than it was to. */
export function refused(reason: string): Unconfirmed {
  return { confirmed: false, reason, spoke: true, ran: true }
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
export const UNHEARD = 'has not answered'
const RAN_OUT_OF_TIME = 'executiontimedout'

/** Statuses under which an instance had no chance to speak. Source: Systems Manager user guide, command statuses. */
const SILENT: ReadonlyMap<string, string> = new Map([
  ['pending', UNHEARD],
  ['inprogress', UNHEARD],
  ['delayed', UNHEARD],
  ['deliverytimedout', 'delivery timed out'],
  [RAN_OUT_OF_TIME, 'the script ran out of time'],
  ['timedout', 'timed out'],
  ['undeliverable', 'undeliverable'],
  ['terminated', 'was not reached before the command ended'],
  ['cancelled', 'the command was cancelled'],
  ['cancelling', 'the command was cancelled'],
  ['invalidplatform', 'the document does not fit its platform'],
  ['accessdenied', 'AccessDenied: the agent may not run the document'],
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
