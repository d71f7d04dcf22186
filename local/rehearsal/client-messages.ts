import type { Kind } from './options.ts'
import type { RingView } from './promise.ts'
import type { Tally } from './tally.ts'
import type { Target, TlsVersion } from './tls-client.ts'

/** A machine as the clients know it. */
export interface Host extends Target {
  readonly id: string
  readonly server: Kind
}

/** What the rehearsal tells the clients' process. */
export type ToClients =
  | {
      readonly type: 'start'
      readonly hosts: readonly Host[]
      readonly authority: string
      readonly lifetime: number
    }
  | { readonly type: 'ring'; readonly view: RingView }
  /** Stop taking tickets, try those that are retired by now, then answer `done`. */
  | { readonly type: 'finish' }

/** What the clients' process tells the rehearsal. */
export type FromClients =
  | { readonly type: 'tally'; readonly tally: Tally }
  /** A ticket as issued, base64: the first of each machine, version and key. */
  | { readonly type: 'sample'; readonly host: string; readonly version: TlsVersion; readonly ticket: string }
  | { readonly type: 'incident'; readonly text: string }
  | { readonly type: 'done'; readonly tally: Tally }
