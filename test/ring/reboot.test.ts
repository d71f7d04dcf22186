/** What a machine that went down, or pulled the ring by its timer, does to the gate's wait; and one that serves without it. */
import { describe, expect, it } from 'vitest'
import { SCRIPT, type SimulatedInstance } from '../fakes/fleet.ts'
import { converged, TIMING, type World } from '../fakes/world.ts'

function machineOf(world: World): SimulatedInstance {
  const [, machine] = world.fleet.instances
  if (machine === undefined) throw new Error('no second machine')
  return machine
}

/** It answers every command like this from now on. */
function says(world: World, fields: Readonly<Record<string, unknown>>, status = 'Success'): void {
  const { lineage, generation, current } = world.ring()
  const line = { v: 1, ring: 'edge', lineage, generation, server: 'haproxy', encryptsWith: current.name }
  const rest = { verified: 'handshake', ms: 9, script: SCRIPT, result: 'unchanged' }
  machineOf(world).conduct = { say: JSON.stringify({ ...line, ...rest, ...fields }), status }
}

const LOCAL = {
  lineage: '',
  generation: 0,
  encryptsWith: '',
  verified: 'none',
  result: 'local-ring',
  error: 'endpoint-unreachable',
  detail: 'no answer in time',
}

const waitOf = async (world: World) => (await world.invoke({ action: 'status' })).convergedAt
const lastMetrics = (world: World) => world.eventLog.of('measured').at(-1)?.metrics

describe('a machine that went down and came back', () => {
  it('with the ring, by its boot unit, does not restart the wait, whether its absence was noticed or not', async () => {
    const world = await converged()
    const before = await waitOf(world)
    const value = world.secret.values.get(world.secret.history.at(-1) ?? '') ?? ''
    for (const isNoticed of [false, true]) {
      const machine = machineOf(world)
      world.clock.advance(60)
      machine.ring = undefined
      machine.present = !isNoticed
      await world.reconcile()
      machine.present = true
      machine.apply(value, 'edge', 1)
      await world.reconcile()
      await world.invoke({ action: 'deliver' })
      expect(await waitOf(world)).toBe(before)
    }
  })

  it('with keys of its own is not confirmed, is named and counted, and does not restart the wait', async () => {
    const world = await converged()
    const before = await waitOf(world)
    expect(lastMetrics(world)).not.toHaveProperty('LocalRing')
    world.clock.advance(60)
    says(world, LOCAL, 'Failed')
    await world.invoke({ action: 'deliver' })
    expect(lastMetrics(world)).toMatchObject({ Stragglers: 1, LocalRing: 1 })
    const { fleet } = await world.invoke({ action: 'status' })
    expect(fleet).toMatchObject({ confirmed: 2, localRing: ['i-2'] })
    const reason = 'local-ring: endpoint-unreachable: no answer in time'
    expect(fleet?.stragglers).toMatchObject([{ id: 'i-2', reason, fix: expect.any(String) }])

    says(world, { result: 'reset', afterLocalRing: true })
    await world.invoke({ action: 'deliver' })
    expect(lastMetrics(world)).toMatchObject({ Stragglers: 0, LocalRing: 1 })
    expect(world.eventLog.of('held-by').at(-1)).toMatchObject({ instance: 'i-2', afterLocalRing: true })
    expect(await waitOf(world)).toBe(before)
    await world.reconcile()
    expect(lastMetrics(world)).not.toHaveProperty('LocalRing')
  })

  it('holds a rotation while it serves with keys of its own', async () => {
    const world = await converged()
    says(world, LOCAL, 'Failed')
    await world.invoke({ action: 'deliver' })
    world.clock.advance(TIMING.every)
    expect((await world.scheduled()).decision).toMatchObject({ action: 'hold' })
    expect(world.ring().generation).toBe(1)
  })
})

describe('a machine that pulled the ring', () => {
  it('had tickets under the keys before until then: the wait begins when it tells', async () => {
    const world = await converged()
    const before = await waitOf(world)
    world.clock.advance(60)
    says(world, { pulled: 1 })
    await world.invoke({ action: 'deliver' })
    const after = await waitOf(world)
    expect(Date.parse(after ?? '') - Date.parse(before ?? '')).toBeGreaterThanOrEqual(60)
  })

  it('after keys of its own had none that any machine takes', async () => {
    const world = await converged()
    const before = await waitOf(world)
    world.clock.advance(60)
    says(world, { pulled: 1, afterLocalRing: true })
    await world.invoke({ action: 'deliver' })
    expect(await waitOf(world)).toBe(before)
  })
})
