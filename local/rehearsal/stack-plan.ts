import { type Fleet, isStapled, KINDS, type Kind, kindsOf, sizeOf } from './machines/kinds.ts'

/** What of a fleet goes into its stack. */
export interface StackPlan {
  readonly machines: number
  /** Those of them that staple. */
  readonly stapled: number
  readonly kinds: readonly Kind[]
  /** Whether open and guarded listeners share the ring, with each other's tickets tried. */
  readonly guarded?: boolean
  /** What an earlier stack left of the ring. */
  readonly existing?: Existing
}

/** ARNs. */
export interface Existing {
  readonly secretArn: string
  readonly keyArn: string
}

/** What a fleet does not say. */
export type StackWishes = Pick<StackPlan, 'guarded' | 'existing'>

export function stackPlanOf(fleet: Fleet, wishes: StackWishes = {}): StackPlan {
  return {
    ...wishes,
    machines: sizeOf(fleet),
    stapled: sizeOf(fleet, KINDS.filter(isStapled)),
    kinds: kindsOf(fleet),
  }
}
