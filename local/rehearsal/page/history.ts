import type { ExecutionRecord, LogRecord } from '../../aws/history.ts'
import { decisionsIn } from '../ring/decisions.ts'
import { isReleaseOf } from '../ring/documents.ts'
import { resultLineOf } from '../ring/result-line.ts'
import type { Testbed } from '../testbed.ts'
import type { RunRecord } from './record.ts'

/** Something that lasted (ms). */
export interface Span {
  readonly from: number
  readonly to: number
}

export interface MachineHistory {
  readonly id: string
  readonly server: string
  /** Which generation it ran from when to when, as its runs proved. */
  readonly generations: readonly (Span & { readonly generation: number })[]
  /** Runs that a command or State Manager began, of the ring. */
  readonly runs: readonly (Span & { readonly isGood: boolean })[]
}

/** A run over time: what its page shows. */
export interface RunHistory extends Span {
  readonly ring: string
  readonly machines: readonly MachineHistory[]
  /** When each generation was committed. */
  readonly commits: readonly { readonly generation: number; readonly at: number }[]
  /** While the gate held a generation back for the sake of a machine. */
  readonly holds: readonly (Span & { readonly reason: string })[]
  readonly said: RunRecord['said']
  readonly samples: RunRecord['samples']
}

/** What the loopback AWS remembers, and what was on record while it went on. */
export function historyOf({ aws, ring, all }: Testbed, record: RunRecord, now: number): RunHistory {
  const { commands, associations, logs } = aws.history
  const ofRing = [...commands.flatMap(({ invocations }) => invocations), ...associations].filter(
    ({ document }) => isReleaseOf(document, ring.document.name),
  )
  const told = logs.filter(({ functionName }) => functionName === ring.functionName)
  const commits = commitsIn(told)
  return {
    from: record.startedAt,
    to: now,
    ring: ring.name,
    machines: all.map(({ id, server }) => {
      const runs = ofRing.filter(({ instance }) => instance === id)
      const generations = generationsIn(runs, now)
      const [{ from: served } = { from: now }] = generations
      return { id, server, generations, runs: runs.flatMap((run) => spanOf(run, served)) }
    }),
    commits,
    holds: holdsIn(told, commits, now),
    said: record.said,
    samples: record.samples,
  }
}

/** Every generation once: the log tells of a commit to each of two that made the same one. */
function commitsIn(logs: readonly LogRecord[]): RunHistory['commits'] {
  const first = new Map<number, number>()
  for (const [, at = '', generation] of logs.flatMap(({ text }) => [
    ...text.matchAll(/"kind":"committed".*?"at":"([^"]+)".*?"generation":(\d+)/g),
  ]))
    if (!first.has(Number(generation))) first.set(Number(generation), Date.parse(at))
  return [...first].map(([generation, at]) => ({ generation, at }))
}

/** From the first time that it was told until the next generation, told in the words of the first. */
function holdsIn(
  logs: readonly LogRecord[],
  commits: RunHistory['commits'],
  now: number,
): RunHistory['holds'] {
  const holds: (Span & { readonly reason: string })[] = []
  for (const { at, waitsFor, reason } of decisionsIn(logs)) {
    if (waitsFor !== 'convergence' || at < (holds.at(-1)?.to ?? 0)) continue
    holds.push({ from: at, to: commits.find((commit) => commit.at > at)?.at ?? now, reason })
  }
  return holds
}

/** Before its server is up a run can but install the program: it has nothing to prove. */
function spanOf({ startedAt, endedAt, exitCode }: ExecutionRecord, served: number): MachineHistory['runs'] {
  if (startedAt === undefined || endedAt === undefined) return []
  return [{ from: startedAt, to: endedAt, isGood: exitCode === 0 || startedAt < served }]
}

function generationsIn(runs: readonly ExecutionRecord[], now: number): MachineHistory['generations'] {
  const proofs = runs
    .flatMap(({ endedAt, exitCode, stdout }) => {
      const line = exitCode === 0 ? resultLineOf(stdout) : undefined
      return line === undefined || endedAt === undefined ? [] : [{ at: endedAt, generation: line.generation }]
    })
    .toSorted((one, other) => one.at - other.at)
  const firsts = proofs.filter(
    ({ generation }, at) => !proofs.slice(0, at).some((earlier) => earlier.generation >= generation),
  )
  return firsts.map(({ at, generation }, index) => ({
    generation,
    from: at,
    to: firsts[index + 1]?.at ?? now,
  }))
}
