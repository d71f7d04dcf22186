import { TLS_VERSIONS, type TlsVersion } from './tls-client.ts'

/** When a ticket was tried: right after it was issued, while a delivery ran, after its key was superseded, or in between. */
export type Moment = 'at once' | 'during a delivery' | 'after the next advance' | 'in between'

export interface Resumption {
  tried: number
  reused: number
  lost: number
  /** Connections that failed twice: what a user would see as an error. */
  failed: number
}

/** Counts of everything the clients tried. */
export interface Tally {
  readonly resumption: Record<TlsVersion, Resumption>
  readonly moments: Record<Moment, number>
  readonly retired: { tried: number; accepted: number }
  /** Tickets of one kind of server tried at the other kind: they are not expected to resume. */
  readonly crossKind: { tried: number; reused: number }
  /** `<from> <to> <version>` to how often it was tried, pairs of the same kind alone. */
  readonly pairs: Record<string, number>
  /** Handshakes made to get a ticket, and those that ended without one. */
  readonly tickets: { taken: number; missing: number }
}

export function emptyTally(): Tally {
  const none = (): Resumption => ({ tried: 0, reused: 0, lost: 0, failed: 0 })
  return {
    resumption: { 'TLSv1.2': none(), 'TLSv1.3': none() },
    moments: { 'at once': 0, 'during a delivery': 0, 'after the next advance': 0, 'in between': 0 },
    retired: { tried: 0, accepted: 0 },
    crossKind: { tried: 0, reused: 0 },
    pairs: {},
    tickets: { taken: 0, missing: 0 },
  }
}

/** Both TLS versions together. */
export function totalOf({ resumption }: Tally): Resumption {
  const sum = (field: keyof Resumption) =>
    TLS_VERSIONS.reduce((total, version) => total + resumption[version][field], 0)
  return { tried: sum('tried'), reused: sum('reused'), lost: sum('lost'), failed: sum('failed') }
}

/** The part of all tries that was made while a delivery ran, 0 to 1. */
export function deliveryShare(tally: Tally): number {
  const { tried } = totalOf(tally)
  return tried === 0 ? 0 : tally.moments['during a delivery'] / tried
}
