import { keysOf, type Ring } from '../../../lambda/ring/ring.ts'
import type { Sample } from '../clients/clients.ts'
import { isUnderKey } from '../clients/ticket.ts'

/** The time that the function's `status` names: sessions made then are what a thief of the ring can read. ISO 8601. */
export interface Window {
  readonly readsFrom: string
  readonly readsTo: string
}

/** What a thief of one ring opens of the tickets that clients were given. */
export interface Theft {
  readonly window: Window
  readonly tried: number
  readonly opened: number
  /** When the oldest that was opened had been given, ISO 8601. */
  readonly oldest?: string
  /** Opened, though given before or after the window. */
  readonly outside: number
}

/** Tries each ticket under each key of the ring, as who stole it would. */
export function steal(ring: Ring, samples: readonly Sample[], window: Window): Theft {
  const keys = keysOf(ring)
  const opened = samples.filter(({ ticket }) => keys.some((key) => isUnderKey(ticket, key)))
  const times = opened.map(({ takenAt }) => takenAt)
  const [from, to] = [Date.parse(window.readsFrom), Date.parse(window.readsTo)]
  return {
    window,
    tried: samples.length,
    opened: opened.length,
    ...(times.length === 0 ? {} : { oldest: new Date(Math.min(...times)).toISOString() }),
    outside: times.filter((time) => time < from || time > to).length,
  }
}
