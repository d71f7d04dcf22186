import { describe, expect, it } from 'vitest'
import { HOUR, REVOKE, TIMING, World } from '../fakes/world.ts'

const STEP = TIMING.every * 1000

/** A fleet whose machines look at the ring and load nothing. */
function observing(changes: object = {}): World {
  const world = new World(['i-1', 'i-2', 'i-3'], { mode: 'observe', ...changes })
  for (const instance of world.fleet.instances) instance.observes = true
  return world
}

/** As a deploy does: the function's configuration, and by its document the machines'. */
function deploy(world: World, mode: 'observe' | 'enforce'): void {
  world.configuration = { ...world.configuration, mode }
  for (const instance of world.fleet.instances) instance.observes = mode === 'observe'
}

const held = ({ eventLog }: World) => eventLog.of('held-by')

async function due(world: World): Promise<void> {
  world.clock.advance(STEP / 1000)
  await world.scheduled()
}

describe('a ring that observes', () => {
  it('counts who would take it, and no machine as confirmed', async () => {
    const world = observing()
    await world.reconcile()
    const { mode, fleet, decision, exposure, convergedAt } = await world.invoke({ action: 'status' })
    expect({ mode, fleet }).toMatchObject({
      mode: 'observe',
      fleet: { members: 3, confirmed: 0, observed: 3, stragglers: [] },
    })
    expect(decision.reason).toContain('all 3 machines would take generation 1')
    expect({ exposure, convergedAt }).toEqual({})
    expect(held(world)).toEqual([])
    expect(world.eventLog.of('converged')).toEqual([])
  })

  it('names who would not take it', async () => {
    const world = observing()
    const [first] = world.fleet.instances
    if (first) first.conduct = { say: '', status: 'Failed' }
    await world.reconcile()
    const { fleet, decision } = await world.invoke({ action: 'status' })
    expect(fleet).toMatchObject({ members: 3, confirmed: 0, observed: 2, stragglers: [{ id: 'i-1' }] })
    expect(decision.reason).toContain('2 of 3 machines would take generation 1')
  })

  it('rotates on its schedule, also where machines would not take it or do not answer', async () => {
    const world = observing()
    const [first, second] = world.fleet.instances
    if (first) first.conduct = 'fail'
    if (second) second.online = false
    await world.reconcile()
    await due(world)
    expect(world.ring().generation).toBe(2)
    await due(world)
    expect(world.ring().generation).toBe(3)
    expect(world.eventLog.entries).not.toContainEqual(
      expect.objectContaining({ kind: 'measured', metrics: expect.objectContaining({ RotationForced: 1 }) }),
    )
  })

  it('rotates by Secrets Manager too', async () => {
    const world = observing({ trigger: 'secrets-manager' })
    for (const instance of world.fleet.instances) instance.conduct = 'fail'
    await world.reconcile()
    world.clock.advance(STEP / 1000)
    const { decision } = await world.rotate()
    expect(decision.reason).toContain('Secrets Manager was asked to rotate')
  })

  it('waits for a pause, and for T', async () => {
    const world = observing()
    await world.reconcile()
    await world.invoke({ action: 'pause', for: '2d', reason: 'sale', by: 'ada' })
    await due(world)
    expect(world.ring().generation).toBe(1)
    await world.invoke({ action: 'resume' })
    await due(world)
    expect(world.ring().generation).toBe(2)
    world.clock.advance(60)
    await world.scheduled()
    expect(world.ring().generation).toBe(2)
  })

  it('keeps a ring whose keys machines encrypt with: who is to load it later loses nothing', async () => {
    const world = new World(['i-1', 'i-2', 'i-3'])
    await world.reconcile()
    deploy(world, 'observe')
    await world.reconcile()
    for (let turns = 0; turns < 4; turns++) await due(world)
    expect(world.ring().generation).toBe(1)
    const { decision, rotatedAt = '' } = await world.invoke({ action: 'status' })
    expect(decision).toMatchObject({ action: 'hold' })
    expect(decision.reason).toContain('encrypt with a key of this ring')
    expect(world.clock.now().getTime() - Date.parse(rotatedAt)).toBeGreaterThan(TIMING.maxKeyAge * 1000)
    await world.rotate()
    expect(world.ring().generation).toBe(2)
  })

  it('keeps a ring that a machine has loaded because its own settings say so', async () => {
    const world = observing()
    const [first] = world.fleet.instances
    if (first) first.observes = false
    await world.reconcile()
    expect(held(world)).toMatchObject([{ instance: 'i-1', generation: 1 }])
    await due(world)
    await due(world)
    expect(world.ring().generation).toBe(1)
  })

  it('revokes, and proves nothing by it', async () => {
    const world = observing()
    await world.reconcile()
    const before = world.ring()
    const { proof, generation } = await world.invoke(REVOKE)
    expect({ proof, generation }).toEqual({ generation: 2 })
    expect(world.ring().current.name).not.toBe(before.next.name)
  })
})

describe('a deploy that changes the mode', () => {
  it('to enforce sends the ring anew: who would have taken it has not confirmed it', async () => {
    const world = observing()
    await world.reconcile()
    await due(world)
    deploy(world, 'enforce')
    const sent = world.fleet.orders.length
    const { fleet, generation } = await world.reconcile()
    expect(world.fleet.orders.length).toBeGreaterThan(sent)
    expect({ fleet, generation }).toMatchObject({ generation: 2, fleet: { members: 3, confirmed: 3 } })
    expect(held(world)).toHaveLength(3)
    for (const instance of world.fleet.instances) expect(instance.ring?.generation).toBe(2)
  })

  it('to enforce gates from then on: a machine that did not load it holds the next generation', async () => {
    const world = observing()
    await world.reconcile()
    deploy(world, 'enforce')
    const [first] = world.fleet.instances
    if (first) first.observes = true
    await world.reconcile()
    await due(world)
    expect(world.ring().generation).toBe(1)
    const { fleet } = await world.invoke({ action: 'status' })
    expect(fleet).toMatchObject({ confirmed: 2, stragglers: [{ id: 'i-1' }] })
    expect(fleet?.stragglers[0]?.reason).toContain('only observes')
  })

  it('back to observe counts anew, and machines stay with what they have', async () => {
    const world = new World(['i-1', 'i-2', 'i-3'])
    await world.reconcile()
    deploy(world, 'observe')
    const { fleet } = await world.reconcile()
    expect(fleet).toMatchObject({ members: 3, confirmed: 0, observed: 3 })
    deploy(world, 'enforce')
    world.clock.advance(HOUR)
    expect((await world.reconcile()).fleet).toMatchObject({ members: 3, confirmed: 3 })
  })
})
