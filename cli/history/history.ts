import type { AuditLine } from './audit-line.ts'

/** One machine's time with one key. */
export interface Tenure {
  readonly instance: string
  readonly from: string
  /** When it began to encrypt with the next key that it told; absent where it told none since. */
  readonly to?: string
}

/** Who asked for a generation. */
export interface Asked {
  readonly caller: string
  /** The caller's own word. */
  readonly callerSays?: string
  /** By which CloudTrail names the principal. */
  readonly requestId?: string
  readonly reason?: string
}

/** A generation's life, as far as the log tells. */
export interface Generation {
  readonly lineage?: string
  readonly generation: number
  /** Name of the key that it encrypts with. */
  readonly encryptsWith: string
  /** Absent where that was before what was read. */
  readonly committedAt?: string
  readonly origin?: string
  /** Whether only the ring's age let it pass, and not every machine's proof. */
  readonly forced: boolean
  readonly asked?: Asked
  /** When all that were waited for had proved it. */
  readonly converged?: { readonly at: string; readonly confirmed: number; readonly members: number }
  readonly machines: readonly Tenure[]
}

type Held = Extract<AuditLine, { kind: 'held-by' }>
type Committed = Extract<AuditLine, { kind: 'committed' }>
type Converged = Extract<AuditLine, { kind: 'converged' }>

/** Puts the lines of a log together: the oldest generation first. */
export function historyOf(lines: readonly AuditLine[]): readonly Generation[] {
  const of = <K extends AuditLine['kind']>(kind: K) =>
    lines.filter((line): line is Extract<AuditLine, { kind: K }> => line.kind === kind)
  const held = firstOfEach(of('held-by'))
  const told: Told = {
    commits: firstBy(of('committed'), keyOf),
    // Of a fleet that had no machine yet, the convergence that some proved.
    convergences: firstBy(
      of('converged').toSorted((one, other) => Number(one.members === 0) - Number(other.members === 0)),
      keyOf,
    ),
    tenures: tenuresOf(held),
    calls: firstBy(of('invoked'), ({ requestId }) => requestId),
    reasons: firstBy(of('asked'), ({ requestId = '' }) => requestId),
  }
  const known = firstBy<Of>([...of('committed'), ...of('converged'), ...held], keyOf)
  const generations = [...known.values()].map((each) => generationOf(each, told))
  return generations.toSorted(
    (one, other) => beganAt(one).localeCompare(beganAt(other)) || one.generation - other.generation,
  )
}

type Of = Pick<Held, 'lineage' | 'generation' | 'encryptsWith'>

interface Told {
  readonly commits: ReadonlyMap<string, Committed>
  readonly convergences: ReadonlyMap<string, Converged>
  readonly tenures: ReadonlyMap<string, readonly Tenure[]>
  /** By the request's id. */
  readonly calls: ReadonlyMap<string, Extract<AuditLine, { kind: 'invoked' }>>
  readonly reasons: ReadonlyMap<string, Extract<AuditLine, { kind: 'asked' }>>
}

function firstBy<T>(values: readonly T[], key: (value: T) => string): ReadonlyMap<string, T> {
  return new Map(values.toReversed().map((each) => [key(each), each]))
}

/** Told of one gap: a number that a line made up must not take all memory. */
const MOST_MISSING = 1_000

/**
 * A generation that is missing from the log between two that are there: of one lineage the numbers follow each other.
 * @returns of a gap at most its first {@link MOST_MISSING}.
 */
export function missingIn(generations: readonly Generation[]): readonly number[] {
  return generations.slice(1).flatMap((each, at) => {
    const before = generations[at]
    if (before === undefined || before.lineage !== each.lineage) return []
    return Array.from(
      { length: Math.min(Math.max(0, each.generation - before.generation - 1), MOST_MISSING) },
      (_, more) => before.generation + 1 + more,
    )
  })
}

function generationOf(known: Of, told: Told): Generation {
  const { generation, encryptsWith } = known
  const key = keyOf(known)
  const commit = told.commits.get(key)
  const converged = told.convergences.get(key)
  const lineage = known.lineage ?? converged?.lineage
  const asked = commit === undefined ? undefined : askedOf(commit, told)
  return {
    ...(lineage === undefined ? {} : { lineage }),
    generation,
    encryptsWith,
    ...(commit === undefined ? {} : { committedAt: commit.at }),
    ...(commit?.origin === undefined ? {} : { origin: commit.origin }),
    forced: commit?.forced === true,
    ...(asked === undefined ? {} : { asked }),
    ...(converged === undefined
      ? {}
      : { converged: { at: converged.at, confirmed: converged.confirmed, members: converged.members } }),
    machines: told.tenures.get(key) ?? [],
  }
}

function askedOf({ requestId = '' }: Committed, { calls, reasons }: Told): Asked | undefined {
  const call = calls.get(requestId)
  if (call === undefined) return undefined
  const { caller, callerSays } = call
  const reason = reasons.get(requestId)?.reason
  return {
    caller,
    ...(callerSays === undefined ? {} : { callerSays }),
    requestId,
    ...(reason === undefined ? {} : { reason }),
  }
}

/** A machine that was put right, or read anew, tells the same generation again: it holds it since the first time. */
function firstOfEach(held: readonly Held[]): readonly Held[] {
  const first = new Map<string, Held>()
  for (const line of held) {
    const key = `${line.instance} ${keyOf(line)}`
    const known = first.get(key)
    if (known === undefined || line.since < known.since) first.set(key, line)
  }
  return [...first.values()]
}

/** By generation: each machine's time with it ends where its next one begins. */
function tenuresOf(held: readonly Held[]): ReadonlyMap<string, readonly Tenure[]> {
  const sorted = held.toSorted((one, other) => (one.since < other.since ? -1 : 1))
  const next = new Map<string, string>()
  const tenures = new Map<string, Tenure[]>()
  for (const line of sorted.toReversed()) {
    const { instance, since } = line
    const to = next.get(instance)
    const known = tenures.get(keyOf(line)) ?? []
    known.unshift({ instance, from: since, ...(to === undefined ? {} : { to }) })
    tenures.set(keyOf(line), known)
    next.set(instance, since)
  }
  return tenures
}

/** The name of a key is random: with its number it is one generation of one lineage. */
function keyOf({
  generation,
  encryptsWith,
}: {
  readonly generation: number
  readonly encryptsWith: string
}): string {
  return `${generation} ${encryptsWith}`
}

function beganAt({ committedAt, converged, machines }: Generation): string {
  return (
    committedAt ??
    [converged?.at, ...machines.map(({ from }) => from)].filter((each) => each !== undefined).sort()[0] ??
    ''
  )
}
