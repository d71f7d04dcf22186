import { expect, it } from 'vitest'
import { stragglersOf, weigh } from '../../lambda/fleet/convergence.ts'
import { type DeliveryState, fitDeliveryState, MOST_STRAGGLERS } from '../../lambda/fleet/delivery-state.ts'
import type { Heard } from '../../lambda/fleet/evidence.ts'
import { countFailedBy } from '../../lambda/fleet/instance-remedies.ts'
import type { Verdict } from '../../lambda/ring/confirmation.ts'

it('a machine whose guarded listener was opened is among the few that a record has room for', () => {
  const members = Array.from({ length: MOST_STRAGGLERS + 1 }, (_, at) => ({ id: `i-${at}`, online: true }))
  const last = members.at(-1)?.id ?? ''
  const cause = { code: 'auth-bypass', detail: 'by a ticket' }
  const bypassed: Verdict = { confirmed: false, ...cause, spoke: true, ran: true }
  const [first, second] = stragglersOf(members, new Map([[last, bypassed]]))
  expect([first?.id, second?.id]).toEqual([last, 'i-0'])
})

it('all that fail for one cause are counted, though a record names few of them', () => {
  const members = Array.from({ length: 3 * MOST_STRAGGLERS }, (_, at) => ({ id: `i-${at}`, online: true }))
  const failed = new Map(
    members.slice(1).map(({ id }): [string, Heard] => {
      return [id, { confirmed: false, code: 'auth-bypass', detail: 'x', spoke: true, ran: true }]
    }),
  )
  const nothing: DeliveryState = { commands: [], attempts: 1, members: 0, confirmed: 0, stragglers: [] }
  const scales = { target: { tag: 'a', values: ['b'] }, tick: 300, what: 'x', lanes: 1 }
  const heard = { fleet: { known: true as const, members }, evidence: failed, changed: false }
  const { delivery } = weigh({ delivery: nothing, carried: {} }, heard, scales, new Date())
  const written = JSON.parse(fitDeliveryState(delivery, JSON.stringify)) as DeliveryState
  expect(written.stragglers.length).toBeLessThanOrEqual(MOST_STRAGGLERS)
  expect(countFailedBy('auth-bypass', written)).toBe(members.length - 1)
  expect(countFailedBy('unheard', written)).toBe(1)
})
