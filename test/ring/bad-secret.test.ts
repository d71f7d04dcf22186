import { describe, expect, it } from 'vitest'
import { ACTIONS } from '../../lambda/ring/request.ts'
import { converged, TIMING, type World } from '../fakes/world.ts'

/** A world whose AWSCURRENT was put by hand on a value made from the ring's own. */
async function spoilt(spoil: (value: string) => string): Promise<World> {
  const world = await converged()
  world.clock.advance(TIMING.every + 2 * TIMING.tick)
  const version = world.secret.history.at(-1) ?? ''
  world.secret.values.set('by-hand', spoil(world.secret.values.get(version) ?? ''))
  world.secret.moveByHand('by-hand')
  return world
}

const change = (fields: object) => (value: string) => JSON.stringify({ ...JSON.parse(value), ...fields })

/** What sets something needs no ring. */
const SETS = {
  pause: { for: '1h', reason: 'see who writes it' },
  resume: {},
  quarantine: { instance: 'i-1', for: '1h', reason: 'disk' },
  rollback: { reason: 'slow' },
  release: { instance: 'i-1' },
}

describe.each<[string, string, (value: string) => string]>([
  ['is no JSON', 'ring-malformed', (value) => value.slice(0, -1)],
  ['is no object', 'ring-malformed', (value) => JSON.stringify([value])],
  ['lacks a key', 'ring-malformed', change({ next: undefined })],
  ['holds no more than the beginning of a key', 'key-weak', change({ current: 'AAAA' })],
  ['has a schema that is not known', 'ring-of-another-schema', change({ schema: '2' })],
  ["is another ring's", 'ring-of-another-name', change({ ring: 'other' })],
])('a secret that %s', (_, code, spoil) => {
  it.each(ACTIONS.filter((action) => !(action in SETS)))(
    'fails %s, and nothing is changed',
    async (action) => {
      const world = await spoilt(spoil)
      const before = world.traces()
      const spelt = action === 'revoke' ? { ring: 'edge', reason: 'a leak' } : {}
      await expect(world.invoke({ action, ...spelt })).rejects.toMatchObject({ code })
      expect(world.traces()).toEqual(before)
    },
  )

  it('can be paused, and machines set aside, all the same', async () => {
    const world = await spoilt(spoil)
    for (const action of ['pause', 'quarantine', 'release', 'rollback', 'resume'] as const) {
      const answer = await world.invoke({ action, ...SETS[action] })
      expect(answer).toMatchObject({
        did: [expect.any(String)],
        decision: { reason: expect.stringContaining(code) },
      })
    }
    expect(world.controls.versions).toHaveLength(5)
  })

  it('is mended as its remedy says: {} under AWSCURRENT, then a revoke', async () => {
    const world = await spoilt(spoil)
    world.secret.values.set('emptied', '{}')
    world.secret.moveByHand('emptied')
    expect(await world.reconcile()).toMatchObject({ decision: { action: 'hold' } })
    await world.invoke({ action: 'revoke', ring: 'edge', reason: 'spoilt' })
    expect(world.fleet.instances.map(({ ring }) => ring?.lineage)).toEqual(
      world.fleet.instances.map(() => world.ring().lineage),
    )
    expect(await world.reconcile()).toMatchObject({ decision: { action: 'rest' }, fleet: { confirmed: 3 } })
  })
})

describe('a delivery record that', () => {
  it.each([
    ['is garbage', 'garbage'],
    ['is empty', ''],
    ['is cut short', '{"v":1,"ring":"edge"'],
    ['has a version that is not known', '{"v":99}'],
  ])('%s is made anew from what is, and the log says so', async (_, text) => {
    const world = await converged()
    const before = world.delivery()
    world.record.text = text
    world.eventLog.entries.length = 0
    world.clock.advance(TIMING.tick)
    expect(await world.reconcile()).toMatchObject({
      decision: { action: 'rest' },
      generation: 1,
      fleet: { members: 3, confirmed: 3, stragglers: [] },
    })
    expect(world.delivery()).toMatchObject({ version: before?.version, generation: 1, confirmed: 3 })
    expect(world.ring().generation).toBe(1)
    const trouble = { kind: 'trouble', during: 'reading the delivery record' }
    expect(world.eventLog.of('trouble')).toEqual([expect.objectContaining(trouble)])
  })
})
