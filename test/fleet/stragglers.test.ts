import { expect, it } from 'vitest'
import { countFailures, MOST_FAILURES, textOf } from '../../lambda/fleet/cause.ts'
import { stragglersOf, weigh } from '../../lambda/fleet/convergence.ts'
import { type DeliveryState, MOST_STRAGGLERS } from '../../lambda/fleet/delivery-state.ts'
import { fitDeliveryState } from '../../lambda/fleet/delivery-state-text.ts'
import type { Heard } from '../../lambda/fleet/evidence.ts'
import { countFailedBy, failedBy } from '../../lambda/fleet/instance-remedies.ts'
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

it('causes are counted by code, those of most machines first, eight at most', () => {
  const causes = Array.from({ length: 9 }, (_, at) => ({ code: `code-${at}`, detail: '' }))
  const counted = countFailures([...causes, { code: 'code-8', detail: 'x' }, { code: 'code-8', detail: '' }])
  expect(counted).toHaveLength(MOST_FAILURES)
  expect(counted.slice(0, 2)).toEqual([
    { code: 'code-8', machines: 3 },
    { code: 'code-0', machines: 1 },
  ])
})

it('a machine is named with its own error, and by a sentence where it named none', () => {
  expect(textOf({ code: 'busy', detail: 'since 10 s' })).toBe('busy: since 10 s')
  expect(textOf({ code: 'busy', detail: '' })).toBe('busy')
  expect(textOf({ code: 'unheard', detail: 'has not answered' })).toBe('has not answered')
})

it('those that failed for one cause are named, and counted where the record counts none', () => {
  const stragglers = ['busy', 'unheard', 'busy'].map((code, at) => ({ id: `i-${at}`, code, detail: '' }))
  expect(failedBy('busy', stragglers)).toEqual(['i-0', 'i-2'])
  const delivery = { commands: [], attempts: 1, members: 3, confirmed: 0, stragglers }
  expect(countFailedBy('busy', delivery)).toBe(2)
  expect(countFailedBy('busy', { ...delivery, failures: [{ code: 'busy', machines: 9 }] })).toBe(9)
})
