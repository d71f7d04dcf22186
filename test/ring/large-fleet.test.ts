import { describe, expect, it } from 'vitest'
import { loseShare, throttledPorts } from '../fakes/throttled.ts'
import { converged, TIMING, type World } from '../fakes/world.ts'

const IDS = Array.from({ length: 10_000 }, (_, n) => `i-${n.toString(16).padStart(17, '0')}`)
const CALLS_PER_SECOND = 10
/** Milliseconds of one invocation. */
const INVOCATION = 300_000

/** One invocation in which AWS answers ten calls a second. @returns how long it took, in seconds. */
async function invoke(world: World, event: object, perSecond = CALLS_PER_SECOND): Promise<number> {
  const before = world.clock.now().getTime()
  await world.invoke(event, throttledPorts(world, perSecond))
  return (world.clock.now().getTime() - before) / 1000
}

describe('of 10,000 machines three in a hundred are gone and ten calls a second are answered', () => {
  it('and a rotation reaches all that are online and is judged within one invocation', async () => {
    const world = await converged(IDS)
    world.clock.advance(TIMING.every)
    loseShare(world, 3)
    const online = world.fleet.instances.filter((instance) => instance.online)
    expect(await invoke(world, { action: 'rotate' })).toBeLessThan(INVOCATION / 1000)
    expect(world.delivery()).toMatchObject({ generation: 2, confirmed: online.length })
    expect(online.every(({ ring }) => ring?.generation === 2)).toBe(true)
    expect(Buffer.byteLength(world.record.text ?? '')).toBeLessThan(4096)
  })

  it('and where three are, no invocation is begun that does not end in its time', async () => {
    const world = await converged(IDS)
    world.clock.advance(TIMING.every)
    loseShare(world, 3)
    for (let n = 0; n < 4; n++) {
      expect(await invoke(world, { action: n === 0 ? 'rotate' : 'reconcile' }, 3)).toBeLessThan(300)
    }
    expect(world.delivery()).toMatchObject({ generation: 2, confirmed: 9696 })
  })

  it('and a ring past maxKeyAge is replaced no later than a tick after that', async () => {
    const world = await converged(IDS)
    world.clock.advance(TIMING.every)
    loseShare(world, 3)
    await invoke(world, { action: 'rotate' })
    const { rotatedAt } = world.ring()
    world.clock.advance(TIMING.maxKeyAge - (world.clock.now().getTime() - rotatedAt.getTime()) / 1000)
    // A machine has joined: the fleet has to be judged anew.
    world.fleet.join('i-newcomer', false)
    const took = await invoke(world, { action: 'reconcile' })
    expect(took).toBeLessThan(INVOCATION / 1000)
    expect(world.ring().generation).toBe(3)
    const late = (world.ring().rotatedAt.getTime() - rotatedAt.getTime()) / 1000 - TIMING.maxKeyAge
    expect(late).toBeLessThanOrEqual(TIMING.tick)
  })

  it('and at one call a second, what was read is kept from one invocation to the next', async () => {
    const world = await converged(IDS)
    world.clock.advance(TIMING.every)
    world.fleet.pollsUntilEnd = Number.POSITIVE_INFINITY
    await world.rotate()
    world.fleet.pollsUntilEnd = 1
    world.clock.advance(TIMING.tick)
    const confirmed: number[] = []
    for (let n = 0; n < 10 && world.delivery()?.confirmed !== IDS.length; n++) {
      expect(await invoke(world, { action: 'reconcile' }, 1)).toBeLessThan(INVOCATION / 1000)
      confirmed.push(world.delivery()?.confirmed ?? 0)
    }
    expect(confirmed.at(-1)).toBe(IDS.length)
    expect(confirmed).toEqual([...confirmed].sort((one, other) => one - other))
    expect(new Set(confirmed).size).toBeGreaterThan(2)
    expect(world.fleet.orders).toHaveLength(2)
  })
})
