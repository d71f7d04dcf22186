import { describe, expect, it } from 'vitest'
import { serialiseLine } from '../../lambda/fleet/result-line.ts'
import { converged, REVOKE, TIMING, World } from '../fakes/world.ts'

const failing = (world: World, error: string, at = 0) => {
  const instance = world.fleet.instances[at]
  if (instance === undefined) throw new RangeError('no such instance')
  instance.conduct = {
    say: serialiseLine({
      ring: 'edge',
      server: 'haproxy',
      lineage: '',
      generation: 0,
      encryptsWith: '',
      result: 'failed',
      error,
      detail: '/run/ticketring/hold: new disk',
      verified: 'none',
      ms: 1,
      script: '0123456789ab',
    } as never),
    status: 'Failed',
  }
}

describe('the fleet of an answer', () => {
  it('has no list of what no machine has', async () => {
    const world = await converged()
    const { fleet, decision } = await world.reconcile()
    for (const name of ['authBypass', 'localRing', 'drifted', 'oldProcess'])
      expect(fleet).not.toHaveProperty(name)
    expect(fleet?.stragglers).toEqual([])
    expect(decision.action).toBe('rest')
    expect(decision).not.toHaveProperty('until')
  })

  it('has neither judgement nor releases before anything was sent', async () => {
    const world = await converged()
    world.record.text = undefined
    const { fleet } = await world.invoke({ action: 'status' })
    expect(fleet).toStrictEqual({ members: 0, confirmed: 0, stragglers: [], now: { members: 3, online: 3 } })
  })

  it('names the machines that serve with keys of their own', async () => {
    const world = new World()
    failing(world, 'local-ring')
    const { fleet, decision } = await world.reconcile()
    expect(fleet).toMatchObject({ localRing: ['i-1'], confirmed: 2 })
    expect(fleet).not.toHaveProperty('authBypass')
    expect(decision).toMatchObject({ action: 'hold', until: expect.stringMatching(/^2026-.*Z$/) })
  })
})

describe('a machine that is held', () => {
  it('is named with its reason and what to do, and is missing', async () => {
    const world = new World()
    failing(world, 'held-on-machine')
    failing(world, 'held-on-machine', 1)
    const { fleet } = await world.reconcile()
    expect(fleet).toMatchObject({ confirmed: 1 })
    expect(fleet?.stragglers[0]).toEqual({
      id: 'i-1',
      reason: 'held-on-machine: /run/ticketring/hold: new disk',
      fix: expect.stringContaining('Remove the file'),
    })
  })
})

describe('the proof of a revoke', () => {
  it('names who is held as one that still accepts, since it runs what was revoked', async () => {
    const world = await converged()
    failing(world, 'held-on-machine')
    expect((await world.invoke(REVOKE)).proof).toEqual({
      refused: 2,
      stillAccepting: ['i-1'],
      unproven: 0,
    })
  })

  it('counts who refuses an old ticket, names who accepts one, and counts of whom nothing is known', async () => {
    const world = await converged()
    failing(world, 'old-ticket-accepted')
    const [, silent] = world.fleet.instances
    if (silent) silent.conduct = 'lose'
    expect((await world.invoke(REVOKE)).proof).toEqual({
      refused: 1,
      stillAccepting: ['i-1'],
      unproven: 1,
    })
  })

  it('is part of the status of a ring that a revoke made, and of no tick, no dry run and no other ring', async () => {
    const world = await converged()
    expect(await world.invoke({ ...REVOKE, dryRun: true })).not.toHaveProperty('proof')
    expect(await world.invoke({ action: 'status' })).not.toHaveProperty('proof')
    await world.invoke(REVOKE)
    expect(await world.reconcile()).not.toHaveProperty('proof')
    expect(await world.invoke({ action: 'status' })).toMatchObject({ proof: { refused: 3 } })
    expect(await world.invoke({ ...REVOKE, dryRun: true })).not.toHaveProperty('proof')
  })
})

describe('what is measured', () => {
  const measured = (world: World) => world.eventLog.of('measured').map(({ metrics }) => metrics)

  it('is nothing where a secret lost its ring before any was known, unless it is to start paused', async () => {
    const paused = new World(['i-1'], { start: 'paused' })
    await paused.reconcile()
    expect(measured(paused)).toEqual([{ KeyAge: 0, Members: 1, Stragglers: 0, RotationHeld: 0 }])
  })

  it('is the age of the key and the machines that lack it', async () => {
    const world = await converged()
    world.clock.advance(TIMING.tick)
    const [lost] = world.fleet.instances
    if (lost) lost.conduct = 'lose'
    await world.reconcile()
    expect(measured(world).at(-1)).toEqual({
      KeyAge: TIMING.tick,
      Members: 3,
      Stragglers: 0,
      RotationHeld: 0,
    })
  })
})
