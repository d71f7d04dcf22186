import { describe, expect, it } from 'vitest'
import { converged, TIMING } from '../fakes/world.ts'

describe('of four machines', () => {
  async function rotatedWith(left: number) {
    const world = await converged(['i-1', 'i-2', 'i-3', 'i-4'])
    for (const instance of world.fleet.instances.slice(left)) instance.tagged = false
    world.clock.advance(TIMING.every + TIMING.tick)
    return { world, answer: await world.scheduled() }
  }

  it('two may leave at once: half of a fleet is still that fleet', async () => {
    const { world, answer } = await rotatedWith(2)
    expect(answer).toMatchObject({ decision: { action: 'rest' }, fleet: { members: 2, confirmed: 2 } })
    expect(world.ring().generation).toBe(2)
  })

  it('three may not: the rotation holds, and an operator is paged', async () => {
    const { world, answer } = await rotatedWith(1)
    expect(answer.decision).toMatchObject({
      action: 'hold',
      reason:
        'only 1 of 4 machines still answer to the tag ticketring=edge; 3 that Systems Manager still lists do not',
    })
    expect(world.ring().generation).toBe(1)
    expect(world.eventLog.of('measured').at(-1)?.metrics.RotationHeld).toBe(1)
  })
})
