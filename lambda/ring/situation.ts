import type { Fleet } from '../fleet/membership.ts'
import type { Address } from '../fleet/rollout.ts'
import type { CalendarSight } from './calendar.ts'
import type { Control } from './control.ts'
import type { Carried, Delivery } from './delivery-record.ts'
import type { WaitsFor } from './gate.ts'
import type { Labels, Removable } from './labels.ts'

/** What is, at one moment: all that a decision looks at. */
export interface Situation {
  readonly now: Date
  readonly labels: Labels
  /** What the ring under AWSPENDING was derived from; looked at only after a revoke, whose keys it may still hold. */
  readonly pendingParent?: string
  /** Of the version that AWSCURRENT names; absent while the secret holds no ring. */
  readonly delivery?: Delivery
  readonly carried: Carried
  readonly fleet: Fleet
  /** What operators have set, what has ended left out; absent where nothing is. */
  readonly control?: Control
  /** Why the control parameter of now is not what counts. */
  readonly controlProblem?: string
  /** Absent where no canary is configured. */
  readonly canary?: CanarySight
  /** Absent where no calendar is configured, or none was asked yet. */
  readonly calendar?: CalendarSight
  /** What was delivered last, where AWSCURRENT holds no ring any more. */
  readonly lost?: Delivery
  /** There may be a ring, but this function may not read it, and the record does not know it yet. */
  readonly unread?: true
  /** How many machines have just said that they served with keys of their own before; absent where none did. */
  readonly localRings?: number
  /** How often machines had drifted and were put right, as heard in this invocation. */
  readonly driftRepaired?: number
  /** Why this ring cannot be brought to the fleet in this invocation; absent unless that was tried. */
  readonly unreachable?: string
}

/** What is known of the canary's machines and alarms, or why it is not. */
export type CanarySight =
  | { readonly known: true; readonly ids: ReadonlySet<string>; readonly alarms?: AlarmSight }
  | { readonly known: false; readonly refusal: string }

/** The states of alarms by their names. */
export type AlarmSight =
  | { readonly known: true; readonly states: ReadonlyMap<string, string> }
  | { readonly known: false; readonly refusal: string }

/** What is to be done. `reconcile` wants whatever is due. */
export type Intent =
  | { readonly action: 'reconcile' }
  | {
      readonly action: 'rotate'
      readonly manual: boolean
      readonly scheduledTime?: Date
      readonly token?: string
    }
  | { readonly action: 'deliver'; readonly instance?: string }
  | { readonly action: 'promote' }
  | { readonly action: 'revoke'; readonly token?: string }

/** What to do now, and why, in a sentence for the operator. */
export type Decision = { readonly reason: string } & (
  | Plain<'genesis' | 'revoke' | 'await' | 'judge' | 'rest'>
  | { readonly action: 'advance'; readonly forced: boolean }
  | { readonly action: 'deliver'; readonly to: readonly Address[] }
  /** The others need not wait for the canary any more. `forced`: only because the keys get too old. `passes`: the document that may go to all. */
  | { readonly action: 'promote'; readonly forced: boolean; readonly passes?: string }
  | { readonly action: 'unlabel'; readonly label: Removable; readonly version: string }
  | { readonly action: 'note-pending'; readonly version: string }
  | {
      readonly action: 'hold'
      readonly waitsFor: WaitsFor | 'operator' | 'canary'
      readonly until?: Date
      /** True where an operator is to be paged: a rotation is due, or something is wrong. */
      readonly page: boolean
    }
)

type Plain<A extends string> = A extends string ? { readonly action: A } : never

/** A situation in which the secret holds a ring. */
export type Known = Situation & { readonly delivery: Delivery }

/** True if this version's keys are all new: none of them ever encrypted under another ring. */
export function isFresh(version: string): boolean {
  return version.startsWith('genesis-') || isRevocation(version)
}

/** True if this version came from a revoke: its VersionId says so, so that a crash cannot lose it. */
export function isRevocation(version: string): boolean {
  return version.startsWith('revoke-')
}
