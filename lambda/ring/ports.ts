import type { FleetEvent } from '../fleet/ports.ts'
import type { Address } from '../fleet/rollout.ts'
import type { Labels, REVOKING, Removable } from './labels.ts'
import type { Launch } from './result-line.ts'
import type { Origin } from './tokens.ts'

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

/** What operators have set for the ring, in one parameter that a person may write too. */
export interface Controls {
  /** `undefined` while nothing was ever set. */
  read(): Promise<StoredControl | undefined>
  /** A version of before; `undefined` where it is kept no more. */
  earlier(version: number): Promise<StoredControl | undefined>
  /**
   * @param after the version that this one is to follow; 0 where there is none.
   * @returns the version written, which is a later one where another writer came in between; `undefined`, and nothing is written,
   * where there was none and now there is.
   */
  write(text: string, after: number): Promise<number | undefined>
}

export interface StoredControl {
  readonly text: string
  readonly version: number
  readonly modifiedAt: Date
}

/** Which generation is to reach the fleet. */
export interface Order extends Address {
  readonly generation: number
  /**
   * `keep`: a machine runs what it was brought last, `back`: what it was brought before the document; otherwise it is brought
   * the document's.
   */
  readonly program?: 'keep' | 'back'
}

/** What the canary is judged by beside the machines' own answers. */
export interface CanaryWatch {
  /** The machines that have both the ring's tag and the canary's. @throws TicketringError `access-denied`. */
  machines(): Promise<readonly string[]>
  /** The state of each alarm, by its name; one that is not there is left out. @throws TicketringError `access-denied`. */
  alarmStates(names: readonly string[]): Promise<ReadonlyMap<string, string>>
}

/** Change Calendars, which say when changes are wanted. */
export interface Calendars {
  /**
   * What holds now: closed where one of them is.
   * @throws TicketringError `calendar-unknown`, `access-denied`.
   */
  state(names: readonly string[]): Promise<CalendarState>
}

export interface CalendarState {
  readonly state: 'open' | 'closed'
  /** When that changes next; absent where it is not to. */
  readonly until?: Date
}

export type RingEvent =
  | FleetEvent
  | {
      readonly kind: 'committed'
      readonly version: string
      readonly lineage: string
      readonly generation: number
      readonly encryptsWith: string
      readonly origin: Origin
      /** True where only maxKeyAge let it pass. */
      readonly forced?: true
    }
  | {
      /** All that are waited for have proved it: since now the tickets of the last to change live their lives. */
      readonly kind: 'converged'
      readonly lineage: string
      readonly generation: number
      readonly encryptsWith: string
      readonly members: number
      readonly confirmed: number
      /** Since it was made. */
      readonly seconds: number
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
      /** True where it served with keys of its own until then. */
      readonly afterLocalRing?: true
      /** How often it had drifted and was put right. */
      readonly drifted?: number
      /** What became of its launch hook, where it had one to complete. */
      readonly launch?: Launch
    }
  | { readonly kind: 'measured'; readonly metrics: Metrics }
  | { readonly kind: 'failing'; readonly code: string; readonly machines: number }

/** Published once an invocation. */
export interface Metrics {
  /** Seconds. */
  readonly KeyAge: number
  readonly Members: number
  readonly Stragglers: number
  /** 1 where a due rotation is held, or something keeps an operator's attention. */
  readonly RotationHeld: number
  /** 1 where the canary keeps a generation from the others and an operator is to see why; absent where it does not. */
  readonly CanaryFailed?: number
  /** 1 where a rotation passed only because the ring was past maxKeyAge; absent where none did. */
  readonly RotationForced?: number
  /** Machines where a ticket of an open listener opened a guarded one; absent where there are none. */
  readonly AuthBypass?: number
  /** Machines that serve with keys of their own, or said just now that they did until they got the ring; absent where none. */
  readonly LocalRing?: number
  /** How often machines were put right that had been changed meanwhile, as heard in this invocation; absent where none. */
  readonly DriftRepaired?: number
  /** 1 where the control parameter is nonsense, so that an earlier version of it counts; absent where it is sound. */
  readonly ControlInvalid?: number
}
