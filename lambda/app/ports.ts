import type { Invocation } from '../core/confirmation.ts'
import type { Member } from '../core/gate.ts'
import type { Address } from '../core/rollout.ts'
import type { Labels, REVOKING, Removable } from '../core/situation.ts'
import type { RandomBytes } from '../core/ticket-key.ts'

/** The secret's versions and labels, read. */
export interface RingVersions {
  /** @throws TicketringError `secret-missing`, `secret-without-current`, `access-denied`. */
  labels(): Promise<Labels & { readonly rotationEnabled: boolean }>
  /**
   * @returns the SecretString of the version that AWSCURRENT names, or of the version named; `undefined` where
   * that version has no value (yet): reads are eventually consistent.
   */
  read(which: 'AWSCURRENT' | { readonly version: string }): Promise<StoredValue | undefined>
}

export interface StoredValue {
  readonly version: string
  /** Key material. */
  readonly value: string
}

/** The secret's versions and labels, written. */
export interface RingCommits {
  /**
   * Puts a value under AWSPENDING, unless told another label.
   * @throws TicketringError `version-conflict` if the version has another value; no label has moved then.
   */
  stage(version: string, value: string, how?: Staging): Promise<void>
  /** Moves AWSCURRENT from `parent`: a compare-and-set. @throws TicketringError `label-moved`. */
  promote(version: string, parent: string): Promise<void>
  /** Takes a label off the version. @returns false where it was not there. */
  unlabel(label: Removable, version: string): Promise<boolean>
}

export interface Staging {
  readonly label?: 'AWSPENDING' | typeof REVOKING
  /** Sensitive: Secrets Manager's own, of a rotation that it drives. */
  readonly rotationToken?: string | undefined
}

/** Secrets Manager's own rotation. */
export interface Rotations {
  /** Asks RotateSecret. @throws TicketringError `rotation-in-progress`. */
  start(token: string): Promise<void>
}

/** One text that outlives an invocation: the delivery record. */
export interface Records {
  read(): Promise<string | undefined>
  write(text: string): Promise<void>
}

/** Who belongs to the fleet. With several Regions: of all of them. */
export interface RollCall {
  /** @throws TicketringError `access-denied`. */
  members(): Promise<readonly Member[]>
  /** How many of these Systems Manager lists, whatever their tags: one call for every 50. */
  countListed(ids: readonly string[]): Promise<number>
}

export type { Address } from '../core/rollout.ts'

/** Which generation is to reach the fleet. */
export interface Order extends Address {
  readonly generation: number
}

/** Brings an order to the instances. */
export interface Courier<O extends Address = Order> {
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
  readonly random: RandomBytes
  uuid(): string
}

/** What is worth a line in the log. Never key material. */
export interface Journal<E = JournalEntry> {
  record(entry: E): void
}

/** What every story may have to say. */
export type CommonEntry =
  | {
      /** Why somebody says to call, in their own words: on record even where the call fails. */
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

export type JournalEntry =
  | CommonEntry
  | {
      readonly kind: 'committed'
      readonly version: string
      readonly generation: number
      readonly encryptsWith: string
    }
  | {
      readonly kind: 'held-by'
      readonly instance: string
      readonly lineage: string
      readonly generation: number
      readonly encryptsWith: string
      readonly since: string
      /** Of the server that runs there, where it told. */
      readonly serverVersion?: string
    }
  | { readonly kind: 'measured'; readonly metrics: Metrics }

/** Published once an invocation. */
export interface Metrics {
  /** Seconds. */
  readonly KeyAge: number
  readonly Members: number
  readonly Stragglers: number
  /** 1 where a due rotation is held, or something keeps an operator's attention. */
  readonly RotationHeld: number
  /** 1 where a rotation passed only because the ring was past maxKeyAge. */
  readonly RotationForced: number
  /** Machines where a ticket of an open listener opened a guarded one; absent where there are none. */
  readonly AuthBypass?: number
}
