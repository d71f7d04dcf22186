import type { DeliveryState, Straggler } from '../../lambda/fleet/delivery-state.ts'
import type { Heard } from '../../lambda/fleet/evidence.ts'
import { packHolders } from '../../lambda/fleet/holder-bits.ts'
import { type Fleet, type Member, membershipOf } from '../../lambda/fleet/membership.ts'

export const TICK = 300
export const TARGET = { tag: 'ring', values: ['edge'] }
export const START = new Date('2026-11-21T00:00:00.000Z')
export const instant = (seconds: number) => new Date(START.getTime() + seconds * 1000)

/** `i-1`, `i-2` and so on, the last ones without connection. */
export function membersOf(count: number, offline = 0): readonly Member[] {
  return Array.from({ length: count }, (_, at) => ({ id: `i-${at + 1}`, online: at < count - offline }))
}

export function fleetOf(members: readonly Member[]): Fleet & { readonly known: true } {
  return { known: true, members }
}

export const FAILED: Heard = { confirmed: false, code: 'reload-failed', detail: '', spoke: true, ran: true }

export function failed(id: string): Straggler {
  return { id, code: 'reload-failed', detail: '', ran: true }
}

export function unheard(id: string): Straggler {
  return { id, code: 'unheard', detail: 'has not answered' }
}

/** What was sent at the start and has been judged, to a fleet in which these are missing. */
export function delivered(
  members: readonly Member[],
  stragglers: readonly Straggler[] = [],
  changes: Partial<DeliveryState> = {},
): DeliveryState {
  const ids = members.map(({ id }) => id)
  const missing = new Set(stragglers.map(({ id }) => id))
  return {
    commands: [{ id: 'c-1', sentAt: START, judged: true }],
    attempts: 1,
    members: members.length,
    confirmed: members.length - missing.size,
    stragglers,
    failed: stragglers.filter(({ ran }) => ran).length,
    holders: packHolders(ids, (id) => !missing.has(id)),
    membership: membershipOf(ids),
    ...(missing.size === 0 ? { convergedAt: instant(60) } : {}),
    ...changes,
  }
}
