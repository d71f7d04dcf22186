import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../lambda/ring/delivery-record.ts'
import type { Intent, Situation } from '../../lambda/ring/situation.ts'
import { decideUnborn } from '../../lambda/ring/uninitialised.ts'
import { fleetOf, membersOf, START } from '../fleet/deliveries.ts'

const PAUSED = { start: 'paused' } as const
const BY_HAND: Intent = { action: 'rotate', manual: true }
const SCHEDULED: Intent = { action: 'rotate', manual: false, scheduledTime: START }
const LOST = { generation: 7, lineage: 'a-lineage' } as Delivery

function decided(intent: Intent, configuration: object = {}, changes: Partial<Situation> = {}) {
  const situation: Situation = {
    now: START,
    labels: { current: 'first' },
    carried: {},
    fleet: fleetOf(membersOf(1)),
    ...changes,
  }
  return decideUnborn(situation, intent, configuration)
}

describe('a secret without a ring', () => {
  it.each([{ action: 'reconcile' } as const, BY_HAND, SCHEDULED])('gets generation 1 by %j', (intent) => {
    expect(decided(intent)).toEqual({
      action: 'genesis',
      reason: 'the secret holds no ring yet (version first)',
    })
  })

  it.each(['deliver', 'revoke'] as const)('has nothing to %s, and is told so without a page', (action) => {
    expect(decided({ action })).toEqual({
      action: 'hold',
      waitsFor: 'operator',
      page: false,
      reason: `there is no ring yet to ${action}: the next reconcile tick makes generation 1`,
    })
  })

  it('that starts paused gets one by hand alone', () => {
    expect(decided(BY_HAND, PAUSED)).toMatchObject({ action: 'genesis' })
    const how = 'write one into the secret (npm run adopt), or have {"action":"rotate"} make it'
    const held = { action: 'hold', waitsFor: 'operator', page: false }
    for (const intent of [{ action: 'reconcile' } as const, SCHEDULED])
      expect(decided(intent, PAUSED)).toEqual({ ...held, reason: `this ring starts paused: ${how}` })
    for (const action of ['deliver', 'revoke'] as const)
      expect(decided({ action }, PAUSED)).toEqual({ ...held, reason: `no ring yet to ${action}: ${how}` })
  })

  it('that may not be read is left to the next tick', () => {
    const unread = { unread: true, lost: LOST } as const
    expect(decided(BY_HAND, {}, unread)).toMatchObject({
      action: 'rest',
      reason: expect.stringMatching(/does not know version first yet.*the next tick does$/),
    })
    expect(decided(BY_HAND, PAUSED, unread)).toMatchObject({
      action: 'rest',
      reason: expect.stringContaining('unless it is still {}: this ring starts paused'),
    })
  })
})

describe('a secret that has lost its ring', () => {
  it.each([{}, PAUSED])('waits for an operator, with a page, whatever is due (%j)', (configuration) => {
    for (const intent of [{ action: 'reconcile' } as const, BY_HAND, { action: 'deliver' } as const])
      expect(decided(intent, configuration, { lost: LOST })).toMatchObject({
        action: 'hold',
        waitsFor: 'operator',
        page: true,
        reason: expect.stringContaining('generation 7 of lineage a-lineage was delivered'),
      })
  })

  it('begins a new lineage by a revoke that is asked for, or was staged', () => {
    expect(decided({ action: 'revoke' }, {}, { lost: LOST })).toMatchObject({
      action: 'revoke',
      reason: expect.stringMatching(/^asked for/),
    })
    const labels = { current: 'first', revoking: 'revoke-8' }
    expect(decided({ action: 'reconcile' }, {}, { lost: LOST, labels })).toMatchObject({
      action: 'revoke',
      reason: expect.stringContaining('revoke-8 was staged'),
    })
  })
})
