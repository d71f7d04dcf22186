import type { RingFacts } from './delivery-record.ts'
import { isRefusal, messageOf } from './errors.ts'
import { parseResultLine, type ResultLine } from './result-line.ts'
import { failureText } from './script-output.ts'

/** What Run Command says of one instance of one command. */
export interface Invocation {
  readonly id: string
  /** StatusDetails of ListCommandInvocations. */
  readonly status: string
  /** The plug-in's output: standard output, then, after a separator, standard error. */
  readonly output: string
  readonly finishedAt?: Date
}

/** What a result line has to say for an instance to count. */
export interface Expectation extends Pick<RingFacts, 'lineage' | 'generation' | 'encryptsWith'> {
  readonly ring: string
  readonly script: string
}

export type Verdict =
  | {
      readonly confirmed: true
      readonly generation: number
      readonly encryptsWith: string
      /** False if the instance held this ring before the command came. */
      readonly changed: boolean
      readonly since?: Date
      /** Version of the server that runs there, where it told. */
      readonly serverVersion?: string
    }
  | Unconfirmed

export interface Unconfirmed {
  readonly confirmed: false
  readonly reason: string
  /** True if the instance itself spoke: that outweighs what it said before. */
  readonly spoke: boolean
  /** True if the document ran there: then it failed, else it was not reached. */
  readonly ran: boolean
}

/**
 * Judges one instance by its own evidence. An aggregate Success proves nothing: an instance counts if it says, in
 * one well-formed line, that a handshake showed the `current` key of this generation or a later one.
 */
export function judge(invocation: Invocation, wanted: Expectation): Verdict {
  return hear(invocation, (line) => judgeLine(parseResultLine(line), wanted, invocation.finishedAt))
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

function judgeLine(line: ResultLine, wanted: Expectation, since: Date | undefined): Verdict {
  const reason = objection(line, wanted)
  if (reason !== undefined) return refused(reason)
  return {
    confirmed: true,
    generation: line.generation,
    encryptsWith: line.encryptsWith,
    changed: line.result !== 'unchanged',
    ...(since === undefined ? {} : { since }),
    ...(line.serverVersion === undefined ? {} : { serverVersion: line.serverVersion }),
  }
}

/** The first thing about a line that keeps its instance from counting. */
function objection(line: ResultLine, wanted: Expectation): string | undefined {
  if (line.ring !== wanted.ring) return `reports the ring ${line.ring}`
  if (line.script !== wanted.script) return `ran script ${line.script}, not ${wanted.script}`
  if (line.result === 'failed') return failureText(line)
  if (line.result === 'stale') return `runs generation ${line.generation}, later than AWSCURRENT's`
  if (line.lineage !== wanted.lineage) return `holds another lineage, ${line.lineage}`
  if (line.generation < wanted.generation) return `holds generation ${line.generation}`
  if (line.verified !== 'handshake') return 'no handshake verified it'
  const otherKey = line.generation === wanted.generation && line.encryptsWith !== wanted.encryptsWith
  return otherKey ? `encrypts with ${line.encryptsWith}` : undefined
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
export type Evidence<V extends Heard = Verdict> = ReadonlyMap<string, V>

/** The least that every verdict on an instance says. */
export type Heard = { readonly confirmed: true } | Unconfirmed

/** Adds older evidence: the last time an instance spoke counts, and silence takes nothing back. */
export function withOlder<V extends Heard>(newer: Evidence<V>, older: Evidence<V>): Evidence<V> {
  const joined = new Map(older)
  for (const [id, verdict] of newer) {
    const silent = !verdict.confirmed && !verdict.spoke
    if (!silent || !joined.has(id)) joined.set(id, verdict)
  }
  return joined
}
