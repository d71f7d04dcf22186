import { served } from './ancestry.ts'
import { type Answer, answer } from './answer.ts'
import { decide } from './decision.ts'
import { withCalendars } from './look-at-calendars.ts'
import { type ObservationPorts, observe } from './observation.ts'
import { rehearse } from './operate.ts'
import { type ActionRequest, isControl, requireRing } from './request.ts'
import type { Decision, Intent, Situation } from './situation.ts'

/**
 * Says what is, and what an action would do now. Has no port that could change anything, and publishes no metrics: who
 * looks often must not hide that the ticks have stopped.
 */
export async function look(ports: ObservationPorts, request: ActionRequest): Promise<Answer> {
  requireRing(request, ports.configuration.ring)
  noteReason(ports, request)
  if (isControl(request)) return rehearse(ports, request)
  const situation = await withCalendars(ports, await observe(ports))
  const { intent, served: before } = await settle(ports, situation, intentOf(request))
  const decision = decide(situation, intent, ports.configuration)
  return answer(ports, request, situation, afterServed(before, decision), [])
}

/** Where what is wanted was done before, what is left to want is whatever is due. */
export async function settle(
  ports: ObservationPorts,
  situation: Situation,
  intent: Intent,
): Promise<{ readonly intent: Intent; readonly served?: string }> {
  const { delivery } = situation
  if (delivery === undefined || (intent.action !== 'revoke' && intent.action !== 'rotate')) return { intent }
  const before = await served(ports, { ...situation, delivery }, intent)
  return before === undefined ? { intent } : { intent: { action: 'reconcile' }, served: before }
}

/** The decision, with what an earlier try of the same client did. */
export function afterServed(before: string | undefined, decision: Decision): Decision {
  return before === undefined ? decision : { ...decision, reason: `${before}; ${decision.reason}` }
}

export function noteReason(
  { eventLog }: Pick<ObservationPorts, 'eventLog'>,
  { action, reason, dryRun }: ActionRequest,
): void {
  if (reason !== undefined) eventLog.record({ kind: 'asked', action, reason, dryRun })
}

export function intentOf({ action, scheduledTime, token, instance }: ActionRequest): Intent {
  const named = token === undefined ? {} : { token }
  if (action === 'rotate') {
    const manual = scheduledTime === undefined
    return { action, manual, ...named, ...(manual ? {} : { scheduledTime }) }
  }
  if (action === 'revoke') return { action, ...named }
  if (action === 'promote') return { action }
  if (action === 'deliver') return { action, ...(instance === undefined ? {} : { instance }) }
  return { action: 'reconcile' }
}
