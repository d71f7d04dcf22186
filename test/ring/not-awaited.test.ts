import { describe, expect, it } from 'vitest'
import { converged, HOUR, REVOKE, TIMING, type World } from '../fakes/world.ts'

const ids = (count: number) => Array.from({ length: count }, (_, n) => `i-${n.toString(16)}`)
const machine = (world: World, id: string) => {
  const found = world.fleet.instances.find((each) => each.id === id)
  if (found === undefined) throw new Error(`no ${id}`)
  return found
}
const generationOf = (world: World) => world.ring().generation
const heldBy = (world: World, id: string) => machine(world, id).ring?.generation
const setAside = (world: World, instance: string, time = '7d') =>
  world.invoke({ action: 'quarantine', instance, for: time, reason: 'disk', by: 'ada' })

/** Due for generation 2, which this machine then does not get. */
async function behind(count: number, id: string, mend: (world: World) => void, mayLag = 1): Promise<World> {
  const world = await converged(ids(count), { mayLag })
  mend(world)
  world.clock.advance(TIMING.every)
  await world.rotate()
  expect(heldBy(world, id)).toBe(1)
  return world
}

const lost =
  (...gone: readonly string[]) =>
  (world: World) => {
    for (const id of gone) machine(world, id).online = false
  }
const failing = (id: string) => (world: World) => {
  machine(world, id).conduct = 'fail'
}

describe('a machine that Systems Manager has lost', () => {
  it('of three hundred costs the others no rotation, and is named', async () => {
    const world = await behind(300, 'i-7', lost('i-7'))
    await world.pass(TIMING.every + TIMING.tick)
    expect(generationOf(world)).toBe(3)
    expect(world.eventLog.of('measured').every(({ metrics }) => metrics.RotationForced === undefined)).toBe(
      true,
    )
    const { fleet } = await world.invoke({ action: 'status' })
    expect(fleet).toMatchObject({
      members: 300,
      confirmed: 299,
      lagging: ['i-7'],
      stragglers: [{ id: 'i-7' }],
    })
  })

  it.each([
    ['the only one', 1, []],
    ['the only one that is not set aside', 2, ['i-1']],
  ])('is waited for as %s: what no machine has proved never goes on', async (_, count, aside) => {
    const world = await behind(count, 'i-0', (each) => {
      lost('i-0')(each)
      for (const id of aside) failing(id)(each)
    })
    for (const id of aside) await setAside(world, id)
    await world.pass(TIMING.every + HOUR)
    expect(generationOf(world)).toBe(2)
    const { fleet } = await world.invoke({ action: 'status' })
    expect(fleet).toMatchObject({ confirmed: 0 })
    expect(fleet).not.toHaveProperty('lagging')
  })

  it('is waited for again once it is back: it gets the ring at once, and the next generation waits for its proof and for L', async () => {
    const world = await behind(3, 'i-1', lost('i-1'))
    await world.pass(HOUR)
    machine(world, 'i-1').online = true
    machine(world, 'i-1').conduct = 'fail'
    await world.pass(2 * TIMING.every)
    expect(generationOf(world)).toBe(2)
    machine(world, 'i-1').conduct = 'apply'
    await world.invoke({ action: 'deliver' })
    expect(heldBy(world, 'i-1')).toBe(2)
    await world.pass(TIMING.ticketLifetime - 2 * TIMING.tick)
    expect(generationOf(world)).toBe(2)
    await world.pass(4 * TIMING.tick)
    expect(generationOf(world)).toBe(3)
  })

  it('gets the ring by the first tick after it is back', async () => {
    const world = await behind(3, 'i-1', lost('i-1'))
    await world.pass(2 * TIMING.every)
    machine(world, 'i-1').online = true
    await world.reconcile()
    expect(heldBy(world, 'i-1')).toBe(generationOf(world))
    const { fleet, decision } = await world.invoke({ action: 'status' })
    expect(fleet).toMatchObject({ confirmed: 3, stragglers: [] })
    expect(fleet).not.toHaveProperty('lagging')
    expect(decision.action).toBe('rest')
  })

  it('is waited for where no machine may lag, where it is online, and where more are lost than may be', async () => {
    for (const [mend, mayLag] of [
      [lost('i-1'), 0],
      [failing('i-1'), 1],
      [lost('i-1', 'i-2'), 1],
    ] as const) {
      const world = await behind(20, 'i-1', mend, mayLag)
      await world.pass(TIMING.every + TIMING.tick)
      expect(generationOf(world)).toBe(2)
      expect((await world.invoke({ action: 'status' })).fleet).not.toHaveProperty('lagging')
    }
  })

  it('is waited for where it is all that there is: what no machine proved does not encrypt before its time', async () => {
    const world = await behind(1, 'i-0', lost('i-0'))
    await world.pass(TIMING.every + TIMING.tick)
    expect(generationOf(world)).toBe(2)
  })

  it('may be as many as the setting says of a large fleet', async () => {
    const world = await converged(ids(200), { mayLag: 2 })
    lost('i-1', 'i-2', 'i-3', 'i-4')(world)
    await world.pass(3 * TIMING.every)
    expect(generationOf(world)).toBe(3)
    expect((await world.invoke({ action: 'status' })).fleet?.lagging).toHaveLength(4)
    lost('i-5')(world)
    await world.pass(2 * TIMING.every)
    expect(generationOf(world)).toBe(4)
  })
})

describe('a delivery by hand to one machine', () => {
  it('goes to it alone, and counts what it proves', async () => {
    const world = await behind(20, 'i-1', failing('i-1'))
    machine(world, 'i-1').conduct = 'apply'
    const sent = world.fleet.orders.length
    const answer = await world.invoke({ action: 'deliver', instance: 'i-1', reason: 'mended' })
    expect(world.fleet.orders.slice(sent)).toMatchObject([{ to: ['i-1'], generation: 2 }])
    expect(answer.fleet).toMatchObject({ members: 20, confirmed: 20 })
  })

  it.each([
    ['i-12', 'i-12 is not online'],
    ['i-4f', 'no machine i-4f on the roll call (did you mean i-4?)'],
  ])('to %s sends nothing: %s', async (instance, reason) => {
    const world = await converged(ids(20))
    lost('i-12')(world)
    const sent = world.fleet.orders.length
    expect((await world.invoke({ action: 'deliver', instance })).decision).toMatchObject({
      action: 'hold',
      reason,
    })
    expect(world.fleet.orders).toHaveLength(sent)
  })
})

describe('a machine in quarantine', () => {
  it('holds no rotation up, is named with its end, and gets each generation all the same', async () => {
    const world = await behind(5, 'i-1', failing('i-1'))
    await setAside(world, 'i-1')
    await world.pass(TIMING.every + TIMING.tick)
    expect(generationOf(world)).toBe(3)
    const answer = await world.invoke({ action: 'status' })
    expect(answer.quarantine).toMatchObject([{ instance: 'i-1', reason: 'disk', by: 'ada' }])
    expect(answer.fleet).toMatchObject({ members: 5, confirmed: 4, stragglers: [{ id: 'i-1' }] })
    machine(world, 'i-1').conduct = 'apply'
    await world.pass(HOUR)
    expect(heldBy(world, 'i-1')).toBe(3)
    expect((await world.invoke({ action: 'status' })).fleet).toMatchObject({ confirmed: 5 })
  })

  it('is waited for from its end on, or from its release', async () => {
    for (const end of ['its end', 'its release']) {
      const world = await behind(5, 'i-1', failing('i-1'))
      await setAside(world, 'i-1', '1h')
      if (end === 'its release') await world.invoke({ action: 'release', instance: 'i-1' })
      await world.pass(TIMING.every + TIMING.tick)
      expect(generationOf(world)).toBe(2)
    }
  })

  it('waits out L from when the others were enough', async () => {
    const world = await behind(5, 'i-1', failing('i-1'))
    world.clock.advance(TIMING.every)
    await setAside(world, 'i-1')
    await world.rotate()
    expect(generationOf(world)).toBe(2)
    expect((await world.rotate()).decision).toMatchObject({ reason: expect.stringContaining('live until') })
    world.clock.advance(TIMING.ticketLifetime)
    await world.rotate()
    expect(generationOf(world)).toBe(3)
  })

  it('is counted by a revoke, which names it as unproved', async () => {
    const world = await converged(ids(5))
    await setAside(world, 'i-1')
    machine(world, 'i-1').conduct = 'lose'
    const answer = await world.invoke(REVOKE)
    expect(answer.proof).toEqual({ refused: 4, stillAccepting: [], unproven: 1 })
    expect(answer.fleet?.stragglers).toMatchObject([{ id: 'i-1' }])
  })

  it('is one of a tenth, whatever a person wrote: those beyond that are waited for', async () => {
    const world = await converged(ids(5))
    for (const id of ['i-1', 'i-2']) failing(id)(world)
    const entry = (instance: string) => ({ instance, until: '2026-11-23T19:00:00Z', reason: 'x', by: 'bob' })
    world.controls.put(JSON.stringify({ version: 1, quarantine: ['i-f', 'i-1', 'i-2'].map(entry) }))
    await world.pass(2 * TIMING.every + TIMING.tick)
    expect(generationOf(world)).toBe(2)
    machine(world, 'i-2').conduct = 'apply'
    await world.pass(TIMING.every)
    expect(generationOf(world)).toBe(3)
  })
})
