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

/**
 * How many of the machines that confirmed run which release, most first.
 * @param heard what machines said now.
 * @param holders who had confirmed before, and `before` what they run: with a holder heard again that count is no longer
 * known to be right, and those heard now are counted alone.
 */
export function countReleases(
  heard: Evidence<Heard>,
  holders: ReadonlySet<string> | undefined,
  before: readonly Release[] = [],
): readonly Release[] {
  const isFurther = holders !== undefined && [...heard.keys()].every((id) => !holders.has(id))
  const counts = new Map((isFurther ? before : []).map((release) => [keyOf(release), release]))
  for (const verdict of heard.values()) {
    if (!verdict.confirmed || verdict.serverVersion === undefined) continue
    const release = { server: verdict.server ?? '', version: verdict.serverVersion }
    const { machines } = counts.get(keyOf(release)) ?? { machines: 0 }
    counts.set(keyOf(release), { ...release, machines: machines + 1 })
  }
  return [...counts.values()].sort((one, other) => other.machines - one.machines).slice(0, MOST_RELEASES)
}

function keyOf({ server, version }: Omit<Release, 'machines'>): string {
  return `${server} ${version}`
}
