import { expect, it } from 'vitest'
import type { Verdict } from '../../lambda/core/confirmation.ts'
import { MOST_STRAGGLERS } from '../../lambda/core/delivery-record.ts'
import { stragglersOf } from '../../lambda/core/judgement.ts'

it('a machine whose guarded listener was opened is among the few that a record has room for', () => {
  const members = Array.from({ length: MOST_STRAGGLERS + 1 }, (_, at) => ({ id: `i-${at}`, online: true }))
  const last = members.at(-1)?.id ?? ''
  const bypassed: Verdict = { confirmed: false, reason: 'auth-bypass: by a ticket', spoke: true, ran: true }
  const [first, second] = stragglersOf(members, new Map([[last, bypassed]]))
  expect([first?.id, second?.id]).toEqual([last, 'i-0'])
})
