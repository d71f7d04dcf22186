import { isRefusal, messageOf, TicketringError } from '../kernel/errors.ts'
import { parseEntry, type StapleEntry, serialiseEntry } from './entry.ts'
import { supersedes } from './entry-change.ts'
import type { CertificateState } from './observation.ts'
import type { StaplePorts } from './ports.ts'

/** A function that loses this often in a row meets something that no repetition mends. */
const MOST_TRIES = 8

/**
 * Stores an entry. Parameter Store has no compare-and-set, so what another writer stored in between is looked at
 * afterwards, and put back where it says more: of two fetchers, the newer response stays (V14).
 * @returns the certificate with the entry that the store holds now.
 * @throws TicketringError `staple-too-large`, `staple-contended`.
 */
export async function saveEntry(
  ports: StaplePorts,
  kept: CertificateState,
  entry: StapleEntry,
): Promise<CertificateState> {
  let wanted = entry
  let { version } = kept
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const written = await writeAfter(ports, wanted, version)
    if (written === version + 1) return { ...kept, entry: wanted, version: written }
    const theirs = await readEarlier(ports, entry.id, written)
    if (theirs === undefined || !supersedes(theirs, wanted))
      return { ...kept, entry: wanted, version: written }
    wanted = theirs
    version = written
  }
  throw new TicketringError('staple-contended', {
    wanted: `to store the staple of ${entry.name}`,
    came: `${MOST_TRIES} tries that each met another writer`,
    fix: 'Stop what else writes this parameter',
  })
}

/** An entry that could not be stored: it is as if nothing had been learnt, save for what is counted and said. */
export interface Unsaved {
  readonly entry: StapleEntry
  readonly error: unknown
}

/** A certificate after its entry was to be stored. */
export interface Saved {
  readonly kept: CertificateState
  readonly unsaved?: Unsaved
}

/** As {@link saveEntry}, but what the store refuses of one certificate is said, and keeps none of the others waiting. */
export async function trySaving(
  ports: StaplePorts,
  kept: CertificateState,
  entry: StapleEntry,
): Promise<Saved> {
  try {
    return { kept: await saveEntry(ports, kept, entry) }
  } catch (error) {
    const during = `storing the staple of ${entry.name}`
    ports.eventLog.record({ kind: 'trouble', during, detail: messageOf(error) })
    return { kept, unsaved: { entry, error } }
  }
}

/** @returns the version written; where another function created the parameter first, it follows theirs. */
async function writeAfter({ store }: StaplePorts, entry: StapleEntry, after: number): Promise<number> {
  const text = serialiseEntry(entry)
  try {
    return await store.write(entry.id, text, after)
  } catch (error) {
    if (!isRefusal(error, 'staple-contended')) throw error
    return store.write(entry.id, text, 1)
  }
}

async function readEarlier(
  { store }: StaplePorts,
  id: string,
  written: number,
): Promise<StapleEntry | undefined> {
  const text = await store.earlier(id, written - 1)
  try {
    return text === undefined ? undefined : parseEntry(text)
  } catch (error) {
    if (isRefusal(error, 'staple-malformed')) return undefined
    throw error
  }
}
