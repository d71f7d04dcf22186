import { type Fleet, isStapled, KINDS, type Kind, kindsOf, sizeOf } from './machines/kinds.ts'

/** What of a fleet goes into its stack. */
export interface StackPlan {
  readonly machines: number
  /** Those of them that staple. */
  readonly stapled: number
  readonly kinds: readonly Kind[]
}

export function stackPlanOf(fleet: Fleet): StackPlan {
  return { machines: sizeOf(fleet), stapled: sizeOf(fleet, KINDS.filter(isStapled)), kinds: kindsOf(fleet) }
}
