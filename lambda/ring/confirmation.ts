import { type Cause, objected, textOf } from '../fleet/cause.ts'
import { hear, type Invocation, refused, type Unconfirmed } from '../fleet/evidence.ts'
import { causeOf, otherScript, type Serving, servingOf } from '../fleet/result-line.ts'
import { later } from '../kernel/time.ts'
import type { Mode } from './configuration.ts'
import type { OldProcess, RingFacts } from './delivery-record.ts'
import { type Launch, parseResultLine, type ResultLine } from './result-line.ts'

/** What a result line has to say for an instance to count. */
export interface Expectation extends Pick<RingFacts, 'lineage' | 'generation' | 'encryptsWith'> {
  readonly ring: string
  /** Versions of the program that it may have run. */
  readonly scripts: readonly string[]
  /** The longest lifetime that a ticket may announce, in seconds: what the gate waits for. */
  readonly announcedAtMost: number
  readonly mode?: Mode
}

export type Verdict =
  | ({
      readonly confirmed: true
      readonly generation: number
      readonly encryptsWith: string
      /** True if the instance had tickets under other keys of the fleet until now, or until it pulled the ring. */
      readonly changed: boolean
      /** The longest lifetime that it announced, in seconds. */
      readonly lifetime?: number
      /** True if it served with keys of its own before it got the ring. */
      readonly afterLocalRing?: true
      /** How often it had drifted and was put right. */
      readonly drifted?: number
      readonly launch?: Launch
      readonly oldProcess?: OldProcess
      /** True if it only looked, and would take the ring: it holds nothing. */
      readonly observed?: true
      /** True if it looked, and a listener encrypts with a key of the ring. */
      readonly inUse?: true
      readonly since?: Date
    } & Serving)
  | Unconfirmed

/**
 * Judges one instance by its own evidence. An aggregate Success proves nothing: an instance counts if it says, in
 * one well-formed line, that a handshake showed the `current` key of this generation or a later one.
 */
export function judge(invocation: Invocation, wanted: Expectation): Verdict {
  return hear(invocation, (line) => judgeLine(parseResultLine(line), wanted, invocation))
}

function judgeLine(line: ResultLine, wanted: Expectation, invocation: Invocation): Verdict {
  const { finishedAt: since } = invocation
  const cause = objection(line, wanted)
  if (cause !== undefined) return refused(cause)
  if (line.mode === 'observe') return observed(line, since)
  return {
    confirmed: true,
    generation: line.generation,
    encryptsWith: line.encryptsWith,
    // Tickets under keys of its own are lost with them: there are none to wait for.
    changed: !line.afterLocalRing && (line.result !== 'unchanged' || line.pulled !== undefined),
    ...(line.lifetime === undefined ? {} : { lifetime: line.lifetime }),
    ...(line.afterLocalRing ? { afterLocalRing: true } : {}),
    ...(line.drifted === undefined ? {} : { drifted: line.drifted }),
    ...(line.launch === undefined ? {} : { launch: line.launch }),
    ...oldProcessOf(line, invocation),
    ...(since === undefined ? {} : { since }),
    ...servingOf(line),
  }
}

function observed(
  { generation, encryptsWith, lifetime, inUse }: ResultLine,
  since: Date | undefined,
): Verdict {
  return {
    confirmed: true,
    observed: true,
    generation,
    encryptsWith,
    changed: false,
    ...(lifetime === undefined ? {} : { lifetime }),
    ...(inUse === undefined ? {} : { inUse }),
    ...(since === undefined ? {} : { since }),
  }
}

function oldProcessOf(
  { oldProcesses: processes, oldestSeconds }: ResultLine,
  { id: instance, finishedAt }: Invocation,
): { readonly oldProcess?: OldProcess } {
  if (processes === undefined || oldestSeconds === undefined || finishedAt === undefined) return {}
  return { oldProcess: { instance, processes, began: later(finishedAt, -oldestSeconds) } }
}

/** The first thing about a line that keeps its instance from counting. */
function objection(line: ResultLine, wanted: Expectation): Cause | undefined {
  if (line.ring !== wanted.ring) return objected(`reports the ring ${line.ring}`)
  if (!wanted.scripts.includes(line.script)) return otherScript(line, wanted.scripts)
  if (line.result === 'local-ring') return { code: 'local-ring', detail: textOf(causeOf(line)) }
  if (line.result === 'failed') return causeOf(line)
  if (line.result === 'stale') return objected(`runs generation ${line.generation}, later than AWSCURRENT's`)
  if (line.lineage !== wanted.lineage) return objected(`holds another lineage, ${line.lineage}`)
  if (line.generation < wanted.generation) return objected(`holds generation ${line.generation}`)
  if (line.mode === 'observe') return otherMode(wanted) ?? tooLongLived(line, wanted)
  if (line.verified !== 'handshake') return objected('no handshake verified it')
  const otherKey = line.generation === wanted.generation && line.encryptsWith !== wanted.encryptsWith
  return otherKey ? objected(`encrypts with ${line.encryptsWith}`) : tooLongLived(line, wanted)
}

/** A look proves nothing where a load is wanted: its settings say so, or the command was sent before the mode changed. */
function otherMode({ mode }: Expectation): Cause | undefined {
  return mode === 'observe' ? undefined : objected('only observes (MODE=observe): it loads nothing')
}

/** A machine's own settings, or those of a deploy before, may allow more than the gate waits for. */
function tooLongLived({ lifetime = 0 }: ResultLine, { announcedAtMost }: Expectation): Cause | undefined {
  if (lifetime <= announcedAtMost) return undefined
  const detail = `it announces ${lifetime} s, ticketLifetime is ${announcedAtMost} s`
  return { code: 'lifetime-exceeded', detail }
}
