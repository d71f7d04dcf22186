import type { RolledBack } from './control.ts'
import type { Situation } from './situation.ts'

/** True while machines are told to go back from the document that would be sent now: a deploy of another one ends it. */
export function isRolledBack({ control }: Pick<Situation, 'control'>): boolean {
  return control?.rolledBack !== undefined
}

/** A way back in a sentence. */
export function rolledBackText({ document, reason, by }: RolledBack): string {
  return `${document} is rolled back by ${by}: ${reason}`
}
