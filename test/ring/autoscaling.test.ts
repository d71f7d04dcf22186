/** Machines of an Auto Scaling group come and go while a ring turns. */
import { describe, expect, it } from 'vitest'
import { SCRIPT, SimulatedInstance } from '../fakes/fleet.ts'
import { converged, TIMING, type World } from '../fakes/world.ts'

const status = async (world: World) => await world.invoke({ action: 'status' })

/** It answers the next commands with what became of its launch hook. */
function saysOfItsHook(world: World, machine: SimulatedInstance, launch: string): void {
  const { lineage, generation, current } = world.ring()
  const line = { v: 1, ring: 'edge', lineage, generation, server: 'haproxy', encryptsWith: current.name }
  const rest = { result: 'unchanged', verified: 'handshake', ms: 9, script: SCRIPT, launch }
  machine.conduct = { say: JSON.stringify({ ...line, ...rest }), status: 'Success' }
}

describe('a machine that is launched', () => {
  it.each(['completed', 'none', 'failed'])('is confirmed, and the log has its hook: %s', async (launch) => {
    const world = await converged()
    const machine = new SimulatedInstance('i-new')
    world.fleet.instances.push(machine)
    saysOfItsHook(world, machine, launch)
    await world.reconcile()
    expect((await status(world)).fleet).toMatchObject({ members: 4, confirmed: 4, stragglers: [] })
    expect(world.eventLog.of('held-by').at(-1)).toMatchObject({ instance: 'i-new', launch })
  })

  it('is on the log again when it tells of its hook later', async () => {
    const world = await converged()
    const [machine] = world.fleet.instances
    if (machine === undefined) throw new Error('no machine')
    const before = world.eventLog.of('held-by').length
    saysOfItsHook(world, machine, 'completed')
    await world.invoke({ action: 'deliver' })
    expect(world.eventLog.of('held-by').slice(before)).toMatchObject([
      { instance: machine.id, launch: 'completed' },
    ])
  })

  it('is a straggler where its hook has become a word that is none', async () => {
    const world = await converged()
    const [machine] = world.fleet.instances
    if (machine === undefined) throw new Error('no machine')
    saysOfItsHook(world, machine, 'abandoned')
    await world.invoke({ action: 'deliver' })
    expect((await status(world)).fleet?.stragglers).toMatchObject([{ id: machine.id }])
  })
})

describe('a machine that is terminated', () => {
  it.each([1, 2])(
    'in the midst of a command is waited for no longer than the others: %i of three',
    async (gone) => {
      const world = await converged()
      for (const machine of world.fleet.instances.slice(0, gone)) machine.conduct = 'die'
      world.clock.advance(TIMING.every)
      const began = world.clock.now().getTime()
      await world.rotate()
      expect((world.clock.now().getTime() - began) / 1000).toBeLessThan(TIMING.delivery)
      const left = 3 - gone
      expect((await status(world)).fleet).toMatchObject({ members: left, confirmed: left, stragglers: [] })
      world.clock.advance(TIMING.tick)
      await world.reconcile()
      expect(await status(world)).toMatchObject({
        decision: { action: 'rest' },
        convergedAt: expect.any(String),
      })
      world.clock.advance(TIMING.every)
      await world.rotate()
      expect(world.ring().generation).toBe(3)
    },
  )

  it('with a command that it never answered is no straggler, and holds no rotation', async () => {
    const world = await converged()
    const [machine] = world.fleet.instances
    if (machine === undefined) throw new Error('no machine')
    machine.conduct = 'lose'
    world.clock.advance(TIMING.every)
    await world.rotate()
    expect((await status(world)).fleet?.stragglers).toMatchObject([{ id: machine.id }])
    machine.present = false
    await world.reconcile()
    const { fleet } = await status(world)
    expect(fleet).toMatchObject({ members: 2, confirmed: 2, stragglers: [] })
    world.clock.advance(TIMING.every)
    const { generation } = world.ring()
    await world.rotate()
    expect(world.ring().generation).toBe(generation + 1)
  })
})

describe('a launch under way', () => {
  it('whose agent registers at +90 s, and whose tag comes later, is no straggler, holds up nothing and restarts no wait', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    await world.rotate()
    const { convergedAt } = await status(world)
    // Its own launch hook waits for its boot, which brings the ring before Systems Manager lists it.
    const machine = world.fleet.join('i-new')
    const isResting = { decision: { action: 'rest' }, convergedAt }
    machine.present = false
    machine.tagged = false
    world.clock.advance(90)
    expect(await world.reconcile()).toMatchObject({ ...isResting, fleet: { members: 3, stragglers: [] } })
    machine.present = true
    world.clock.advance(TIMING.tick)
    expect(await world.reconcile()).toMatchObject({ ...isResting, fleet: { members: 3, stragglers: [] } })
    machine.tagged = true
    world.clock.advance(TIMING.tick)
    await world.reconcile()
    const after = { members: 4, confirmed: 4, stragglers: [] }
    expect(await status(world)).toMatchObject({ ...isResting, fleet: after })
    world.clock.advance(TIMING.every)
    await world.rotate()
    expect(world.ring().generation).toBe(3)
    expect(await status(world)).toMatchObject({ fleet: after })
  })
})

/** Each machine that serves takes the tickets that each of them gives. */
function expectNoTicketLost(world: World): void {
  const serving = world.fleet.present().filter(({ ring }) => ring !== undefined)
  for (const { id, ring } of serving)
    for (const other of serving)
      expect(other.accepts(ring?.current.name ?? ''), `${other.id} takes tickets of ${id}`).toBe(true)
}

describe('an instance refresh', () => {
  it('in batches, across rotations, holds no advance up for who has left, and loses no ticket', async () => {
    const ids = ['i-1', 'i-2', 'i-3', 'i-4', 'i-5', 'i-6']
    const world = await converged(ids)
    for (const [batch, old] of [
      ['i-1', 'i-2'],
      ['i-3', 'i-4'],
      ['i-5', 'i-6'],
    ].entries()) {
      for (const id of old) {
        world.fleet.join(`${id}-new`)
        expectNoTicketLost(world)
      }
      const [first, second] = world.fleet.instances.filter(({ id }) => old.includes(id))
      if (first === undefined || second === undefined) throw new Error('no machine')
      // One goes between two commands, and one in the midst of the next.
      first.present = false
      second.conduct = 'die'
      world.clock.advance(TIMING.every)
      await world.rotate()
      expect(world.ring().generation).toBe(batch + 2)
      expectNoTicketLost(world)
      world.clock.advance(TIMING.tick)
      await world.reconcile()
      expect(await status(world)).toMatchObject({
        decision: { action: 'rest' },
        fleet: { members: 6, confirmed: 6, stragglers: [] },
      })
    }
    expect(
      world.fleet
        .present()
        .map(({ id }) => id)
        .sort(),
    ).toEqual(ids.map((id) => `${id}-new`))
  })
})
