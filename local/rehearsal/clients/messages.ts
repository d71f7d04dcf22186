import type { Kind } from '../machines/kinds.ts'
import type { Door } from '../own/own-configuration.ts'
import type { StaplePhase } from '../staples/observed-staple.ts'
import type { Availability } from './availability.ts'
import type { StapleTally, Tally } from './tally.ts'
import type { RingView } from './ticket-validity.ts'
import type { Target, TlsVersion } from './tls-client.ts'

/** A machine as the clients know it. */
export interface Host extends Target {
  readonly id: string
  readonly server: Kind
  /** Whether it is asked for staples. */
  readonly stapled?: boolean
  /** Listeners and names that its clients go to in turn: of one with a configuration of the user's. */
  readonly doors?: readonly Door[] | undefined
}

/** A certificate whose staple the clients ask for. */
export interface StapledCertificate {
  readonly name: string
  readonly serverName: string
  /** PEM: the certificate, then its issuer. */
  readonly chain: string
}

/** What the rehearsal tells the clients' process. */
export type ToClients =
  | {
      readonly type: 'start'
      readonly hosts: readonly Host[]
      readonly authority: string
      /** L in ms. */
      readonly lifetime: number
      /** Whose staples they are to ask for. */
      readonly certificates: readonly StapledCertificate[]
      /** Clients that try tickets at the same time. */
      readonly lanes: number
      /** Machines that they are not led to yet. */
      readonly absent: readonly string[]
      /** Whether they stay away between deliveries, so that these have their part of all tries. */
      readonly holdsBack: boolean
      /** Those that the fleet speaks. */
      readonly versions: readonly TlsVersion[]
    }
  | { readonly type: 'machine'; readonly id: string; readonly availability: Availability }
  /** What may be stapled from now on; the first one lets in the clients that ask for it. */
  | { readonly type: 'staples'; readonly phase: StaplePhase }
  | { readonly type: 'ring'; readonly view: RingView }
  /** Stop taking tickets, try those that are retired by now, then answer `done`. */
  | { readonly type: 'finish' }

/** What the clients' process tells the rehearsal. */
export type FromClients =
  | { readonly type: 'tally'; readonly tally: Tally; readonly staples: StapleTally }
  /** A ticket as issued, base64: the first of each machine, version and key. */
  | {
      readonly type: 'sample'
      readonly host: string
      readonly version: TlsVersion
      readonly ticket: string
      /** ms */
      readonly takenAt: number
    }
  /** @see Incidents.add */
  | { readonly type: 'incident'; readonly kind: string; readonly text: string }
  | { readonly type: 'done'; readonly tally: Tally; readonly staples: StapleTally }

export type Tell = (message: FromClients) => void
