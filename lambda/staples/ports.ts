import type {
  Chance,
  Clock,
  CommandSender,
  EventLog,
  FleetEvent,
  FleetInventory,
  Records,
} from '../fleet/ports.ts'
import type { Address } from '../fleet/rollout.ts'
import type { TicketringError } from '../kernel/errors.ts'
import type { ChainSource, StapleConfiguration } from './configuration.ts'
import type { StapleMessage } from './message.ts'
import type { StapleMetrics } from './report.ts'

/** All that the staple story reaches outside by. */
export interface StaplePorts {
  readonly configuration: StapleConfiguration
  readonly chains: Chains
  readonly store: StapleStore
  readonly responders: Responders
  readonly records: Records
  readonly inventory: FleetInventory
  readonly sender: CommandSender<StapleOrder>
  readonly clock: Clock
  readonly chance: Chance
  readonly eventLog: EventLog<StapleEvent>
}

/** Where the certificates are. */
export interface Chains {
  /**
   * @returns for each source, in order, its text, or why there is none (`chain-missing`, `access-denied`, `throttled`,
   * `store-unreadable`): one that cannot be read must not keep the others from being looked after.
   */
  read(sources: readonly ChainSource[]): Promise<readonly (string | TicketringError)[]>
}

/** One text for each certificate, in versions. */
export interface StapleStore {
  /**
   * By certificate id; absent where nothing is stored, an error (`access-denied`, `throttled`, `store-unreadable`) where
   * that cannot be told: one that cannot be read must not keep the others from being looked after.
   */
  read(ids: readonly string[]): Promise<ReadonlyMap<string, Stored | TicketringError>>
  /** What an earlier version held; `undefined` where that cannot be told any more. */
  earlier(id: string, version: number): Promise<string | undefined>
  /**
   * Writes the next version, whatever it will be; creates only where nothing is stored (`after` 0).
   * @returns the version that it became: more than `after` + 1 where another function wrote meanwhile.
   * @throws TicketringError `staple-contended` where `after` is 0 and there is one already.
   */
  write(id: string, text: string, after: number): Promise<number>
}

export interface Stored {
  readonly text: string
  /** 1 or more. */
  readonly version: number
}

/** What to ask a server for. */
export interface HttpQuestion {
  readonly method: 'GET' | 'POST'
  readonly url: string
  /** The body of a POST: an OCSPRequest. */
  readonly body?: Uint8Array
  /** Past any cache. */
  readonly fresh?: boolean
  /** HTTP proxy of the owner's. */
  readonly proxy?: string
  /** The URL is the owner's own word, so its address may be any; where it redirects to may not. */
  readonly trusted?: boolean
}

export interface HttpAnswer {
  readonly status: number
  readonly body: Uint8Array
  readonly contentType?: string
  readonly cacheControl?: string
  readonly age?: string
  readonly expires?: string
  readonly retryAfter?: string
}

/** The way to servers whose URLs stand in certificates: hostile input. */
export interface Responders {
  /**
   * One exchange, redirects included, with a deadline of its own. Any status is an answer.
   * @throws TicketringError `url-forbidden`, `address-forbidden`, `redirect-forbidden`, `redirect-loop`,
   * `responder-unresolved`, `responder-unreachable`, `responder-reset`, `responder-timeout`, `responder-tls`,
   * `responder-not-http`, `response-oversize`.
   */
  ask(question: HttpQuestion): Promise<HttpAnswer>
}

/** What is to reach the fleet. */
export interface StapleOrder extends Address {
  readonly message: StapleMessage
}

export type StapleEvent =
  | FleetEvent
  | {
      readonly kind: 'fetched'
      readonly certificate: string
      readonly status: 'good' | 'revoked'
      readonly end: string
      readonly source: string
      readonly changed: boolean
      readonly mustStaple: boolean
    }
  | {
      readonly kind: 'refused'
      readonly certificate: string
      readonly code: string
      readonly rule?: string
      readonly detail: string
      readonly failures: number
      readonly mustStaple: boolean
    }
  | {
      readonly kind: 'withdrawn'
      readonly certificate: string
      readonly reason: string
      readonly mustStaple: boolean
    }
  /** How many staples of a machine were put right that had been changed there. */
  | { readonly kind: 'drift-repaired'; readonly instance: string; readonly staples: number }
  | { readonly kind: 'measured'; readonly metrics: StapleMetrics }
  /** How many certificates fail for one reason. */
  | { readonly kind: 'failing'; readonly reason: string; readonly certificates: number }
