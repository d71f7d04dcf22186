import { type Fleet, isStapled, KINDS, type Kind, kindsOf, sizeOf } from './machines/kinds.ts'

/** What of a fleet goes into its stack. */
export interface StackPlan {
  readonly machines: number
  /** Those of them that staple. */
  readonly stapled: number
  readonly kinds: readonly Kind[]
  /** Whether open and guarded listeners share the ring, with each other's tickets tried. */
  readonly guarded?: boolean
  /** What a ring's `servers` says, and nothing else, where the machines run configurations of the user's. */
  readonly servers?: Readonly<Partial<Record<Kind, object>>>
  /** Whether each new generation goes to a canary first, whatever cdk.json says. */
  readonly canary?: boolean
  /** What an earlier stack left of the ring. */
  readonly existing?: Existing
}

/** ARNs. */
export interface Existing {
  readonly secretArn: string
  readonly keyArn: string
}

/** What a fleet does not say. */
export type StackWishes = Pick<StackPlan, 'guarded' | 'canary' | 'existing' | 'servers'>

export function stackPlanOf(fleet: Fleet, wishes: StackWishes = {}): StackPlan {
  return {
    ...wishes,
    machines: sizeOf(fleet),
    stapled: wishes.servers === undefined ? sizeOf(fleet, KINDS.filter(isStapled)) : 0,
    kinds: kindsOf(fleet),
  }
}
