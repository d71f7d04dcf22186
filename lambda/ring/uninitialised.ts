import { calendarHold } from './calendar.ts'
import type { RotationConfiguration } from './configuration.ts'
import { pauseText } from './control.ts'
import type { Delivery } from './delivery-record.ts'
import { type Labels, stagedRevoke } from './labels.ts'
import type { Decision, Intent, Situation } from './situation.ts'

/** What to do while AWSCURRENT holds no ring: none yet, or none any more. */
export function decideUnborn(
  { labels, unread, lost, control, calendar }: Situation,
  intent: Intent,
  { start }: Pick<RotationConfiguration, 'start'>,
): Decision {
  const isByHand = intent.action === 'rotate' && intent.manual
  if (unread === true) {
    const reason = `the delivery record does not know version ${labels.current} yet, and looking reads no ring: the next tick does`
    return {
      action: 'rest',
      reason: start === 'paused' ? `${reason}, unless it is still {}: ${unadopted(intent)}` : reason,
    }
  }
  if (lost !== undefined) return decideLost(labels, lost, intent)
  if (start === 'paused' && !isByHand) return { ...UNADOPTED, reason: unadopted(intent) }
  if (intent.action === 'reconcile' || intent.action === 'rotate') {
    if (control?.paused !== undefined) {
      const { until } = control.paused
      const reason = `${pauseText(control.paused)}; the first ring is made after that`
      return { action: 'hold', waitsFor: 'pause', until, page: false, reason }
    }
    const held = calendarHold(calendar, false)
    if (held !== undefined) return { action: 'hold', ...held, page: held.waitsFor === 'unread-calendar' }
    return { action: 'genesis', reason: `the secret holds no ring yet (version ${labels.current})` }
  }
  return {
    action: 'hold',
    waitsFor: 'operator',
    page: false,
    reason: `there is no ring yet to ${intent.action}: the next reconcile tick makes generation 1`,
  }
}

const UNADOPTED = { action: 'hold', waitsFor: 'operator', page: false } as const

/** The keys that a fleet already runs on are to come first: a ring made meanwhile would end every session. */
function unadopted({ action }: Intent): string {
  const what =
    action === 'reconcile' || action === 'rotate' ? 'this ring starts paused' : `no ring yet to ${action}`
  return `${what}: write one into the secret (npm run adopt), or have {"action":"rotate"} make it`
}

/** A new lineage ends every session: an operator's slip must not begin one, while the machines run on with their ring. */
function decideLost(labels: Labels, { generation, lineage }: Delivery, intent: Intent): Decision {
  const was = `generation ${generation} of lineage ${lineage}`
  if (intent.action === 'revoke')
    return {
      action: 'revoke',
      reason: `asked for: a new lineage takes the place of ${was}, which AWSCURRENT has lost`,
    }
  const staged = stagedRevoke(labels)
  if (staged !== undefined)
    return { action: 'revoke', reason: `the revocation ${staged} was staged and is not committed` }
  const reason =
    `AWSCURRENT (version ${labels.current}) holds {}, though ${was} was delivered: move AWSCURRENT back to the version ` +
    'that holds it, or revoke, which begins a new lineage'
  return { action: 'hold', waitsFor: 'operator', page: true, reason }
}
