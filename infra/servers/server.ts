/** What a kind of server is to a synthesis: one file of this folder a kind, and a line in the tables of `servers.ts`. */
import type { Settings, Values } from '../../lambda/kernel/settings.ts'

/** How a kind of server takes the ticket keys of a ring. */
export interface KeyServer<S extends Settings = Settings> {
  /** Its settings, of which a machine may override each that it is told. */
  readonly settings: S
  /** What of its configuration names them: it goes before the files do. */
  readonly named: string
  /** The files that its machines get: no other ring of theirs may have one of these. */
  files(values: Values<S>): readonly string[]
  /** What it is given of the ring's keys: the `whole` of each, the first `half`, or what is `derived` for its layout. */
  takes(values: Values<S>): 'whole' | 'half' | 'derived'
  /** That a guarded listener gives no ticket to a client without its certificate: another proof is needed there. */
  readonly hidesTickets: boolean
  /** Seconds that it announces for a ticket, where nothing can be said to it. */
  readonly announces?: number
  /** Seconds more than others that a run of it may take on a machine. */
  readonly longer?: number
}

/** Checks the shape of a kind and keeps its types. */
export function keyServer<const S extends Settings>(server: KeyServer<S>): KeyServer<S> {
  return server
}

export const PROVES_KEYS = 'which key encrypts'
export const PROVES_STAPLES = 'what is stapled'
/** More go by directories, or by the settings of each machine: the document has 64 KB for everything. */
export const MOST_FILES = 200
