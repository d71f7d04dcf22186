import type { Word } from './places.ts'

/** What proves the ring: as a ring's settings name it, and where it is here. */
export interface Proof {
  readonly named: string
  readonly here: Word
  readonly serverName: string
}

/** Seconds: a ring's usual ticketLifetime. */
export const LIFETIME = 7200
