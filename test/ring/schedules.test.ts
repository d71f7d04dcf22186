import { describe, expect, it } from 'vitest'
import { sharesNoKey } from '../../lambda/ring/ring.ts'
import { isRevocation } from '../../lambda/ring/situation.ts'
import { type Bound, explore } from '../explore/explorer.ts'
import { judge } from '../explore/judge.ts'
import { EVENTS, rotation, STATES, scenarioOf } from '../explore/scenarios.ts'
import { invoke, killAt, runTo, runToEnd, start } from '../explore/steps.ts'
import { begun, converged, REVOKE, TIMING, TOKEN, type World } from '../fakes/world.ts'

const TOKENED = EVENTS['revoke with a token']

async function due(): Promise<World> {
  const world = await converged(['i-1', 'i-2'])
  world.clock.advance(TIMING.every)
  return world
}

const revokesOf = ({ secret }: World) => secret.history.filter(isRevocation)
const recorded = (world: World) => world.delivery()?.generation

/** A revoke whose move a rotation has come before: it sleeps, and will try again. */
async function overtaken(world: World, event: object) {
  const rotating = await invoke(world, EVENTS.rotate)
  await runTo(rotating, 'promote')
  const revoking = await invoke(world, event, 'overtaken')
  await runTo(revoking, 'promote')
  await runToEnd(rotating)
  await runTo(revoking, 'sleep')
  return revoking
}

async function expectEnd(world: World, revokes: number): Promise<void> {
  for (let n = 0; n < 2; n++) {
    world.clock.advance(TIMING.tick)
    await world.reconcile()
  }
  expect(revokesOf(world)).toHaveLength(revokes)
  expect(world.delivery()).toMatchObject({ version: world.secret.holders.get('AWSCURRENT'), confirmed: 2 })
}

describe('one token makes one revoke', () => {
  it('though a rotation overtakes it and its client tries again meanwhile', async () => {
    const world = await due()
    const first = await overtaken(world, TOKENED)
    await runToEnd(await invoke(world, TOKENED, 'second'))
    await runToEnd(first)
    await expectEnd(world, 1)
  })

  it('though its function ended after the move, a tick went on, and a rotation followed', async () => {
    const world = await due()
    await killAt(await invoke(world, TOKENED), 'unlabel')
    await world.reconcile()
    world.clock.advance(TIMING.every)
    await world.rotate()
    const again = await runToEnd(await invoke(world, TOKENED))
    expect(again).toMatchObject({ did: [], decision: { reason: expect.stringContaining('incident-7') } })
    await expectEnd(world, 1)
  })

  it('though a record of before its commit is written after it', async () => {
    const world = await due()
    const other = await invoke(world, EVENTS.deliver)
    await runTo(other, 'write')
    await runToEnd(await invoke(world, TOKENED))
    await runToEnd(other)
    world.clock.advance(TIMING.every)
    await world.rotate()
    await runToEnd(await invoke(world, TOKENED))
    await expectEnd(world, 1)
  })

  it('though what it staged was overtaken and a tick made it anew', async () => {
    const world = await due()
    const before = world.ring()
    const first = await overtaken(world, TOKENED)
    first.killed = true
    expect(sharesNoKey(world.ring(), before)).toBe(false)
    await world.reconcile()
    expect(sharesNoKey(world.ring(), before)).toBe(true)
    await runToEnd(await invoke(world, TOKENED))
    await expectEnd(world, 1)
  })
})

describe('a revoke without a token', () => {
  it('is one with a second that its client sends while the first is under way', async () => {
    const world = await due()
    const first = await invoke(world, REVOKE, 'first')
    await runTo(first, 'send')
    await runToEnd(await invoke(world, REVOKE, 'second'))
    await runToEnd(first)
    await expectEnd(world, 1)
  })

  it('goes on with one that a rotation has overtaken', async () => {
    const world = await due()
    const first = await overtaken(world, REVOKE)
    await runToEnd(await invoke(world, REVOKE, 'second'))
    await runToEnd(first)
    await expectEnd(world, 1)
  })
})

describe('a revoke that was not asked for does not happen', () => {
  it('though a tick has read the labels of before the commit of one that was staged, and of its successor', async () => {
    const world = await due()
    await killAt(await invoke(world, TOKENED), 'promote')
    const late = await invoke(world, EVENTS.tick)
    await late.step()
    await world.reconcile()
    world.clock.advance(TIMING.every)
    await world.rotate()
    await runToEnd(late)
    await expectEnd(world, 1)
  })

  it('though a tick is about to commit what another has committed, and a rotation has followed', async () => {
    const world = await due()
    await killAt(await invoke(world, TOKENED), 'promote')
    const late = await invoke(world, EVENTS.tick)
    await runTo(late, 'promote')
    await world.reconcile()
    world.clock.advance(TIMING.every)
    await world.rotate()
    await runToEnd(late)
    await expectEnd(world, 1)
  })
})

describe('a revoke that was staged is never lost', () => {
  it.each([
    ['a rotation', (world: World) => invoke(world, EVENTS.rotate), due],
    ['createSecret', (world: World) => start(world, rotation(TOKEN, ['createSecret']), 'hook'), begun],
  ] as const)('though its function ends before the move and %s stages beside it', async (_, other, make) => {
    const world = await make()
    const before = world.ring()
    const beside = await other(world)
    await runTo(beside, 'stage')
    await killAt(await invoke(world, REVOKE), 'promote')
    await runToEnd(beside).catch(() => undefined)
    world.clock.advance(TIMING.tick)
    await world.reconcile()
    expect(sharesNoKey(world.ring(), before)).toBe(true)
    expect(world.secret.holders.has('REVOKING')).toBe(false)
    expect(revokesOf(world)).toHaveLength(1)
  })
})

describe('what a revoke replaces', () => {
  it('is under no label once its client has tried again, and on no machine', async () => {
    const world = await due()
    await killAt(await invoke(world, TOKENED), 'unlabel')
    const answer = await runToEnd(await invoke(world, TOKENED))
    expect(answer).toMatchObject({ generation: 2, fleet: { confirmed: 2 }, proof: { refused: 2 } })
    expect([...world.secret.holders.keys()]).toEqual(['AWSCURRENT'])
  })

  it.each(['before', 'after'])(
    'is not left under AWSPENDING by a createSecret that stages %s it',
    async (when) => {
      const world = await begun()
      const hook = await start(world, rotation(TOKEN, ['createSecret']), 'hook')
      if (when === 'before') await runToEnd(hook)
      else await runTo(hook, 'stage')
      await runToEnd(await invoke(world, REVOKE))
      await runToEnd(hook).catch((error: unknown) =>
        expect(error).toMatchObject({ code: 'staged-ring-dead' }),
      )
      expect(world.secret.holders.get('AWSPENDING')).toBeUndefined()
    },
  )
})

describe('an answer', () => {
  it.each(['write', 'progress', 'results'])(
    'names the generation that is current, though another was committed before its %s',
    async (call) => {
      const world = await due()
      const waiting = await invoke(world, EVENTS.deliver)
      await runTo(waiting, call)
      await runToEnd(await invoke(world, REVOKE))
      expect(await runToEnd(waiting)).toMatchObject({
        generation: 2,
        version: world.secret.holders.get('AWSCURRENT'),
      })
      expect(world.delivery()?.version).toBe(world.secret.holders.get('AWSCURRENT'))
    },
  )

  it('does not take a commit since it read the labels for a move back by hand', async () => {
    const world = await due()
    const before = await world.secret.read('AWSCURRENT')
    const late = await invoke(world, EVENTS.tick)
    await late.step()
    await world.rotate()
    await runTo(late, 'read', 2)
    await late.step(async () => before)
    const answer = await runToEnd(late)
    expect(answer).toMatchObject({ generation: 2, decision: { action: 'rest' } })
  })
})

describe('the record', () => {
  it('of a newer generation is not replaced by one of before, though its writer ends there', async () => {
    const world = await due()
    const late = await invoke(world, EVENTS.deliver)
    await runTo(late, 'results')
    await runToEnd(await invoke(world, REVOKE))
    await runTo(late, 'write')
    await late.step()
    late.killed = true
    expect(recorded(world)).toBe(2)
    expect(world.record.text).toContain('"highest":{"lineage":')
  })
})

/** One switch or one kill. */
const BOUND: Bound = { switches: 1, stale: 0, kills: 1, all: 1 }

describe('the explorer finds', () => {
  it('a move of AWSCURRENT that is no compare-and-set', async () => {
    const state = { name: 'due', trigger: 'schedule' as const, make: due }
    const scenario = scenarioOf(state, await due(), ['rotate', 'revoke'])
    const spoil = ({ secret }: World) => {
      secret.promote = async (version) => secret.moveByHand(version)
    }
    const { findings } = await explore({ ...scenario, spoil }, BOUND, judge)
    expect(findings[0]?.problem).toMatch(/follows .*, and is derived from/)
  })

  it('a gate that is always open', async () => {
    const state = STATES.find(({ name }) => name === 'a machine that is missing')
    if (state === undefined) throw new Error('no such state')
    const start = await state.make()
    const missing = start.fleet.instances[0]
    if (missing) missing.ring = start.ring()
    const spoil = (world: World) => {
      const { timing } = world.configuration
      world.configuration = { ...world.configuration, timing: { ...timing, ticketLifetime: 0 } }
      world.fleet.members = async () => world.fleet.present().filter(({ conduct }) => conduct === 'apply')
    }
    const scenario = scenarioOf(state, start, ['rotate', 'rotate'])
    const { findings } = await explore({ ...scenario, spoil }, BOUND, judge)
    expect(findings[0]?.problem).toMatch(/was committed while a machine held/)
  })
})
