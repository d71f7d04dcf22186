import { mapConcurrently } from '../kernel/map-concurrently.ts'
import { isMassWithdrawal } from './decision.ts'
import type { StapleEntry } from './entry.ts'
import type { CertificateState } from './observation.ts'
import { type Saved, trySaving } from './persist.ts'
import type { StaplePorts } from './ports.ts'
import { MOST_AT_ONCE } from './run-memory.ts'

/** One certificate after it was asked about. */
export interface Turn extends Saved {
  /** What remains to be done: to withdraw, in this state. */
  readonly leaving?: StapleEntry
  readonly did?: string
}

/** What withdrawing came to. */
export interface Withdrawals {
  readonly kept: readonly CertificateState[]
  readonly did: readonly string[]
  /** Entries as they would be, had their withdrawal not been held back. */
  readonly held: readonly StapleEntry[]
  readonly goers: readonly Saved[]
}

/** Withdraws, unless so many would go at once that something else must be wrong: then all stay, and an operator is paged. */
export async function withdrawAll(
  ports: StaplePorts,
  turns: readonly Turn[],
  release: boolean,
): Promise<Withdrawals> {
  const leavers = turns.flatMap(({ kept, leaving: entry }) => (entry === undefined ? [] : [{ kept, entry }]))
  const inPlace = turns.filter(({ kept }) => kept.entry.state === 'staple').length
  if (!release && isMassWithdrawal(inPlace, leavers.length)) {
    const held = leavers.map(({ entry }) => entry)
    return { kept: turns.map(({ kept }) => kept), did: [], held, goers: [] }
  }
  const goers = await mapConcurrently(leavers, MOST_AT_ONCE, ({ kept, entry }) =>
    withdraw(ports, kept, entry),
  )
  const after = new Map(goers.map(({ kept }) => [kept.entry.id, kept]))
  return {
    kept: turns.map(({ kept }) => after.get(kept.entry.id) ?? kept),
    did: goers.flatMap(({ did }) => did ?? []),
    held: [],
    goers,
  }
}

async function withdraw(ports: StaplePorts, kept: CertificateState, entry: StapleEntry): Promise<Turn> {
  const saved = await trySaving(ports, kept, entry)
  if (saved.unsaved !== undefined) return saved
  const { name, mustStaple, reason = 'at its end' } = entry
  ports.eventLog.record({ kind: 'withdrawn', certificate: name, reason, mustStaple })
  return { ...saved, did: `${name}: withdrawn: ${reason}` }
}
