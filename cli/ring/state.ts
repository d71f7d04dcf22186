import type { Answer } from '../../lambda/ring/answer.ts'

/** How a ring stands, as an operator reads it. */
export type State =
  | 'healthy'
  | 'no ring'
  | 'no machines'
  | 'degraded'
  | 'observing'
  | 'held'
  | 'overdue'
  | 'paused'
  | 'revoked'
  | 'auth-bypass'
  | 'canary'
  | 'control invalid'

export function stateOf(answer: Answer): State {
  const { fleet, generation } = answer
  if (generation === undefined || fleet === undefined) return 'no ring'
  if (fleet.authBypass !== undefined) return 'auth-bypass'
  if (answer.controlProblem !== undefined) return 'control invalid'
  if (answer.paused !== undefined) return 'paused'
  if (answer.mode === 'observe') return 'observing'
  if (isOverdue(answer)) return 'overdue'
  if (isHeld(answer)) return 'held'
  if (answer.canary?.held) return 'canary'
  if (fleet.members === 0 && fleet.now?.members === 0) return 'no machines'
  if (isProvedByAll(fleet)) return 'healthy'
  return answer.proof === undefined ? 'degraded' : 'revoked'
}

/** Whether there is nothing to do, or, of a ring that is only looked at, nothing in the way of more. */
export function isWell(answer: Answer): boolean {
  const state = stateOf(answer)
  return state === 'healthy' || (state === 'observing' && wouldAllTake(answer))
}

export function wouldAllTake({ fleet }: Answer): boolean {
  return (
    fleet !== undefined && fleet.members > 0 && isProvedByAll({ ...fleet, confirmed: fleet.observed ?? 0 })
  )
}

/** Too old, or due and waiting. */
function isHeld({ asOf, dueAt = asOf, forcedAt = asOf, decision }: Answer): boolean {
  return asOf > forcedAt || (asOf > dueAt && decision.action === 'hold')
}

/** Three ticks of the rotation function (ms). */
const THREE_TICKS = 15 * 60_000

/** Nothing is in its way, or may be any more, and the function has not done it: it does not run. */
function isOverdue({ asOf, dueAt = asOf, forcedAt = asOf, decision }: Answer): boolean {
  const isLate = (since: string) => Date.parse(asOf) - Date.parse(since) > THREE_TICKS
  if (decision.action === 'hold' || decision.action === 'rest') return false
  return asOf > forcedAt ? isLate(forcedAt) : decision.action === 'advance' && isLate(dueAt)
}

/** By every machine that the roll call of now has: a record of fewer or of others proves nothing of these. */
export function isProvedByAll({
  members,
  confirmed,
  stragglers,
  now,
}: NonNullable<Answer['fleet']>): boolean {
  return confirmed >= members && stragglers.length === 0 && now?.members === members
}
