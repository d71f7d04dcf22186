import { expect, it } from 'vitest'
import { stragglersOf } from '../../lambda/fleet/convergence.ts'
import { MOST_STRAGGLERS } from '../../lambda/fleet/delivery-state.ts'
import type { Verdict } from '../../lambda/ring/confirmation.ts'

it('a machine whose guarded listener was opened is among the few that a record has room for', () => {
  const members = Array.from({ length: MOST_STRAGGLERS + 1 }, (_, at) => ({ id: `i-${at}`, online: true }))
  const last = members.at(-1)?.id ?? ''
  const bypassed: Verdict = { confirmed: false, reason: 'auth-bypass: by a ticket', spoke: true, ran: true }
  const [first, second] = stragglersOf(members, new Map([[last, bypassed]]))
  expect([first?.id, second?.id]).toEqual([last, 'i-0'])
})
