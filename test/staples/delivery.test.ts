import { describe, expect, it } from 'vitest'
import { membershipOf } from '../../lambda/fleet/membership.ts'
import { progressTowards } from '../../lambda/staples/deliver.ts'
import { decideStapleDelivery } from '../../lambda/staples/delivery-decision.ts'
import { desiredDigest, type StapleDelivery } from '../../lambda/staples/delivery-record.ts'
import { STAPLE_TIMING } from '../fakes/staple-world.ts'

const NOW = new Date('2026-11-21T00:00:00.000Z')
const MEMBERS = ['i-1', 'i-2'].map((id) => ({ id, online: true }))
const FLEET = { known: true, members: MEMBERS } as const
const BEFORE = new Map([
  ['a', '1'],
  ['b', '2'],
])
const AFTER = new Map([
  ['a', '1'],
  ['b', '3'],
])
const CHANNEL = { target: { tag: 'ticketring', values: ['edge'] }, timing: STAPLE_TIMING }

function delivered(changes: Partial<StapleDelivery> = {}): StapleDelivery {
  return {
    holding: desiredDigest(BEFORE),
    commands: [{ id: 'c-1', sentAt: NOW, judged: true }],
    attempts: 1,
    members: 2,
    confirmed: 2,
    stragglers: [],
    membership: membershipOf(['i-1', 'i-2']),
    convergedAt: NOW,
    ...changes,
  }
}

const changesAfter = (delivery: StapleDelivery | undefined) => {
  const record = { set: 'edge', carried: {}, ...(delivery === undefined ? {} : { delivery }) }
  return progressTowards({ kept: [], lost: [], fleet: FLEET, record }, BEFORE, AFTER).changed
}

describe('a command may name changes alone', () => {
  it('where every machine is known to hold everything else', () => {
    expect(changesAfter(delivered())).toEqual(['b'])
  })

  it.each([
    ['nothing is on record', undefined],
    ['another holding was delivered', delivered({ holding: desiredDigest(new Map()) })],
    ['a machine has not confirmed', delivered({ confirmed: 1 })],
    ['the fleet has not converged', (({ convergedAt: _, ...rest }) => rest)(delivered())],
    ['another machine has joined since', delivered({ membership: membershipOf(['i-1']) })],
    ['one was replaced by another', delivered({ membership: membershipOf(['i-1', 'i-3']) })],
  ] as const)('not where %s', (_, delivery) => {
    expect(changesAfter(delivery)).toBeUndefined()
  })
})

describe('an operator is paged for a delivery that stands still', () => {
  const paged = (attempts: number) => {
    const delivery = delivered({
      attempts,
      confirmed: 1,
      stragglers: [{ id: 'i-2', code: 'reload-failed', detail: '', ran: true }],
      nextAt: new Date(NOW.getTime() + 60_000),
    })
    const progress = { fleet: FLEET, carried: {}, holding: BEFORE, changed: undefined, delivery }
    return decideStapleDelivery(progress, CHANNEL, { now: NOW, forced: false })
  }

  it('after the third redelivery, not before', () => {
    expect(paged(3)).toMatchObject({ action: 'hold', page: false })
    expect(paged(4)).toMatchObject({
      action: 'hold',
      page: true,
      reason: expect.stringContaining('i-2 (reload-failed)'),
    })
  })
})
