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
