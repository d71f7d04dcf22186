import { decide } from '../core/decision.ts'
import type { ActionRequest } from '../core/request.ts'
import type { Intent } from '../core/situation.ts'
import { type Answer, answer } from './answer.ts'
import { type ObservationPorts, observe } from './observation.ts'

/**
 * Says what is, and what an action would do now. Has no port that could change anything, and publishes no metrics: whoever
 * looks often must not hide that the ticks have stopped.
 */
export async function look(ports: ObservationPorts, request: ActionRequest): Promise<Answer> {
  noteReason(ports, request)
  const situation = await observe(ports)
  const decision = decide(situation, intentOf(request), ports.configuration)
  return answer(ports, request, situation, decision, [])
}

export function noteReason(
  { journal }: Pick<ObservationPorts, 'journal'>,
  { action, reason, dryRun }: ActionRequest,
): void {
  if (reason !== undefined) journal.record({ kind: 'asked', action, reason, dryRun })
}

export function intentOf({ action, scheduledTime, token }: ActionRequest): Intent {
  const named = token === undefined ? {} : { token }
  if (action === 'rotate') {
    const manual = scheduledTime === undefined
    return { action, manual, ...named, ...(manual ? {} : { scheduledTime }) }
  }
  if (action === 'revoke') return { action, ...named }
  return { action: action === 'deliver' ? 'deliver' : 'reconcile' }
}
