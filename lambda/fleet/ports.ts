import type { Invocation } from './evidence.ts'
import type { Member } from './membership.ts'
import type { Address } from './rollout.ts'

/** One text that outlives an invocation: the delivery record. */
export interface Records {
  read(): Promise<string | undefined>
  write(text: string): Promise<void>
}

/** Who belongs to the fleet. With several Regions: of all of them. */
export interface FleetInventory {
  /** @throws TicketringError `access-denied`. */
  members(): Promise<readonly Member[]>
  /** How many of these Systems Manager lists, whatever their tags: one call for every 50. */
  countListed(ids: readonly string[]): Promise<number>
}

/** Brings an order to the instances. */
export interface CommandSender<O extends Address = Address> {
  /**
   * @returns an opaque reference for each command sent: one for each Region that the fleet lives in.
   * @throws TicketringError `access-denied`, `document-unknown`, `instance-invalid`.
   */
  send(order: O): Promise<readonly string[]>
  /** One call, whatever the fleet's size. `unknown` while (or because) Systems Manager does not list the command. */
  progress(command: string): Promise<Progress>
  /** What 50 instances said; the first ones, or those on the page that the one before named. */
  results(command: string, page?: string): Promise<ResultPage>
  /** What this one said; `undefined` where the command did not go there. */
  resultOf(command: string, instance: string): Promise<Invocation | undefined>
}

export interface ResultPage {
  readonly invocations: readonly Invocation[]
  readonly next?: string
}

export interface Progress {
  readonly state: 'running' | 'ended' | 'unknown'
  readonly targets: number
  readonly completed: number
}

/** Time, as an argument. */
export interface Clock {
  now(): Date
  sleep(milliseconds: number): Promise<void>
  /** Milliseconds that this invocation may still run. */
  remaining(): number
}

/** Chance, as an argument. */
export interface Chance {
  random(count: number): Uint8Array
  uuid(): string
}

/** What is worth a line in the log. Never key material. */
export interface EventLog<E> {
  record(entry: E): void
}

/** What every story may have to say. */
export type FleetEvent =
  | {
      /** Why the caller says to call, in their own words: on record even where the call fails. */
      readonly kind: 'asked'
      readonly action: string
      readonly reason: string
      readonly dryRun?: boolean
    }
  | { readonly kind: 'decided'; readonly action: string; readonly reason: string; readonly page: boolean }
  | {
      readonly kind: 'progress'
      readonly command: string
      readonly targets: number
      readonly completed: number
    }
  | { readonly kind: 'trouble'; readonly during: string; readonly detail: string }
