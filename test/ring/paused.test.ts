import { describe, expect, it } from 'vitest'
import {
  parseRotationConfiguration,
  serialiseRotationConfiguration,
} from '../../lambda/ring/configuration.ts'
import { adopt, keysOf, parseRing, serialiseRing } from '../../lambda/ring/ring.ts'
import { TicketKey } from '../../lambda/ring/ticket-key.ts'
import { seededChance } from '../fakes/chance.ts'
import { configurationOf, hooked, TIMING, TOKEN, World } from '../fakes/world.ts'

const PAUSED = { start: 'paused' } as const
const paused = () => new World(undefined, PAUSED)

/** What `npm run adopt` prints, written by an operator as PutSecretValue does. */
function adoptInto(world: World) {
  const chance = seededChance('adopted')
  const [previous, current, next] = [
    TicketKey.draw(chance.random),
    TicketKey.draw(chance.random),
    TicketKey.draw(chance.random),
  ] as const
  const ring = adopt('edge', chance.uuid(), world.clock.now(), { previous, current, next })
  world.secret.values.set('by-hand', serialiseRing(ring))
  world.secret.holders.set('AWSPREVIOUS', world.secret.holders.get('AWSCURRENT') as string)
  world.secret.holders.set('AWSCURRENT', 'by-hand')
  return ring
}

describe('a ring that starts paused', () => {
  it.each([
    { action: 'reconcile' },
    { action: 'rotate', scheduledTime: '2030-01-01T00:00:00Z' },
    { action: 'deliver' },
  ])('is made by no %j: the answer says who makes it', async (event) => {
    const world = paused()
    const { decision, did } = await world.invoke(event)
    expect(decision).toMatchObject({ action: 'hold', reason: expect.stringContaining('npm run adopt') })
    expect(did).toEqual([])
    expect(world.secret.values.size).toBe(1)
  })

  it('pages no operator: its age is measured as none', async () => {
    const world = paused()
    await world.reconcile()
    expect(world.eventLog.of('measured')).toMatchObject([
      { metrics: { KeyAge: 0, Members: 3, Stragglers: 0, RotationHeld: 0 } },
    ])
  })

  it('is the one that an owner writes: the next tick delivers it, and later ones turn it', async () => {
    const world = paused()
    await world.reconcile()
    const ring = adoptInto(world)
    expect(await world.reconcile()).toMatchObject({ generation: 1, fleet: { members: 3, confirmed: 3 } })
    expect(keysOf(world.ring()).map(({ name }) => name)).toEqual(keysOf(ring).map(({ name }) => name))
    world.clock.advance(TIMING.every)
    await world.rotate()
    expect(world.ring()).toMatchObject({
      generation: 2,
      lineage: ring.lineage,
      previous: { name: ring.current.name },
    })
  })

  it('is made where an operator asks for it', async () => {
    const world = paused()
    await world.rotate()
    expect(world.ring().generation).toBe(1)
  })

  it('is not made by Secrets Manager either, and the refusal says who makes it', async () => {
    const world = hooked(undefined, PAUSED)
    await expect(world.secret.start(TOKEN)).rejects.toMatchObject({
      code: 'rotation-held',
      fix: expect.stringContaining('npm run adopt'),
    })
    expect(
      parseRing(world.secret.values.get(world.secret.holders.get('AWSCURRENT') as string) ?? '', 'edge'),
    ).toBe(undefined)
  })

  it('is told to the function by its configuration', () => {
    const configuration = configurationOf(PAUSED)
    expect(parseRotationConfiguration(serialiseRotationConfiguration(configuration))).toEqual(configuration)
    expect(() => parseRotationConfiguration(JSON.stringify({ ...configuration, start: 'later' }))).toThrow(
      'start',
    )
  })
})
