/** Why a machine has not confirmed. It becomes text at the edge alone. */
export interface Cause {
  /** The error that the machine's result line names, or one of the codes below. */
  readonly code: string
  readonly detail: string
  /** Seconds after which the machine says that it may go well. */
  readonly retryAfter?: number
}

/** No command has brought a word of it. */
export const UNHEARD = 'unheard'
/** Run Command or its agent never let it speak. */
export const UNREACHED = 'unreached'
/** It spoke, and named no error, yet said something else than it was to. */
export const OBJECTED = 'objected'

/** An {@link OBJECTED}. */
export function objected(detail: string): Cause {
  return { code: OBJECTED, detail }
}

/** Its owner has it change nothing. */
export const HELD = 'held-on-machine'
/** It does as it is told there, and does not fail: it waits for its turn to load what it was sent, or is held. */
export const WAITING: ReadonlySet<string> = new Set(['reload-deferred', HELD])

const OURS: ReadonlySet<string> = new Set([UNHEARD, UNREACHED, OBJECTED])

/** For an operator: a machine's own error by its code, for docs/errors.md has a heading for each. */
export function textOf({ code, detail }: Cause): string {
  if (OURS.has(code)) return detail
  return detail === '' ? code : `${code}: ${detail}`
}

/** How many machines fail for one cause. */
export interface Failures {
  readonly code: string
  readonly machines: number
}

/** A record counts the most frequent causes. */
export const MOST_FAILURES = 8

/** By code, most machines first. */
export function countFailures(causes: readonly Cause[]): readonly Failures[] {
  const counts = new Map<string, number>()
  for (const { code } of causes) counts.set(code, (counts.get(code) ?? 0) + 1)
  return [...counts]
    .map(([code, machines]) => ({ code, machines }))
    .sort((one, other) => other.machines - one.machines)
    .slice(0, MOST_FAILURES)
}
