import type { Evidence, Heard } from './evidence.ts'

/** How many machines run one release of a kind of server. */
export interface Release {
  readonly server: string
  /** As the server itself says it. */
  readonly version: string
  readonly machines: number
}

/** A record names those of most machines; a fleet has rarely more. */
export const MOST_RELEASES = 8

/** How many machines answered by one version of the machines' program: the first 12 hex digits of its SHA-256. */
export interface ProgramVersion {
  readonly version: string
  readonly machines: number
}

/** One, and one that goes or comes; a record has little room. */
export const MOST_PROGRAMS = 4

interface Runs {
  readonly releases?: readonly Release[]
  readonly programs?: readonly ProgramVersion[]
}

/**
 * How many of the machines that confirmed run which release, and answered by which program, most first.
 * @param heard what machines said now.
 * @param holders who had confirmed before, and `before` what they run: with a holder heard again that count is no longer
 * known to be right, and those heard now are counted alone.
 */
export function countRuns(
  heard: Evidence<Heard>,
  holders: ReadonlySet<string> | undefined,
  before: Runs = {},
): Required<Runs> {
  const isFurther = holders !== undefined && [...heard.keys()].every((id) => !holders.has(id))
  const { releases = [], programs = [] } = isFurther ? before : {}
  const confirmed = [...heard.values()].filter((verdict) => verdict.confirmed)
  const servers = confirmed.flatMap(({ server = '', serverVersion: version }) =>
    version === undefined ? [] : [{ server, version }],
  )
  const scripts = confirmed.flatMap(({ script: version }) => (version === undefined ? [] : [{ version }]))
  return {
    releases: tally(servers, releases, MOST_RELEASES),
    programs: tally(scripts, programs, MOST_PROGRAMS),
  }
}

/** Adds each to its count, and keeps the greatest counts. */
function tally<T extends object>(
  runs: readonly T[],
  before: readonly (T & { readonly machines: number })[],
  most: number,
): readonly (T & { readonly machines: number })[] {
  const keyOf = ({ machines: _, ...run }: T & { readonly machines?: number }) => Object.values(run).join(' ')
  const counts = new Map(before.map((count) => [keyOf(count), count]))
  for (const run of runs) {
    const { machines } = counts.get(keyOf(run)) ?? { machines: 0 }
    counts.set(keyOf(run), { ...run, machines: machines + 1 })
  }
  return [...counts.values()].sort((one, other) => other.machines - one.machines).slice(0, most)
}
