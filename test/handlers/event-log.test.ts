import { describe, expect, it } from 'vitest'
import { logRingEvents } from '../../lambda/handlers/event-log.ts'
import { converged, REVOKE, TIMING, type World } from '../fakes/world.ts'

/** What of the journal's entries stands in the log, parsed. */
function logOf({ eventLog, clock, configuration }: World) {
  const lines: string[] = []
  const now = () => clock.now()
  const log = logRingEvents(configuration.ring, now, (line) => lines.push(line))
  for (const entry of eventLog.entries) log.record(entry)
  return lines.map((line) => JSON.parse(line))
}

describe('the reason of a call', () => {
  it('is in the log before anything that was done for it', async () => {
    const world = await converged()
    world.eventLog.entries.length = 0
    await world.invoke({ ...REVOKE, reason: 'laptop stolen, ticket 4711' })
    const [first] = logOf(world)
    expect(first).toMatchObject({
      level: 'info',
      kind: 'asked',
      ring: 'edge',
      action: 'revoke',
      reason: 'laptop stolen, ticket 4711',
      dryRun: false,
    })
    expect(world.eventLog.of('asked')).toHaveLength(1)
  })

  it('is there though the call fails, and says that nothing was to be done', async () => {
    const world = await converged()
    world.secret.values.set('by-hand', '{"x":1}')
    world.secret.moveByHand('by-hand')
    await expect(world.invoke({ action: 'rotate', dryRun: true, reason: 'drill' })).rejects.toMatchObject({
      code: 'ring-malformed',
    })
    expect(world.eventLog.of('asked')).toEqual([
      { kind: 'asked', action: 'rotate', reason: 'drill', dryRun: true },
    ])
  })

  it('is no entry of an ordinary tick', async () => {
    const world = await converged()
    expect(world.eventLog.of('asked')).toEqual([])
  })
})

describe('the audit', () => {
  it('names the key, its lineage and when the machine itself was done, not when that was read', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    world.fleet.pollsUntilEnd = 4
    world.eventLog.entries.length = 0
    const done = world.clock.now()
    await world.scheduled()
    expect(world.clock.now().getTime(), 'time has passed until it was read').toBeGreaterThan(done.getTime())
    const { lineage, current } = world.ring()
    const line = { level: 'info', kind: 'held-by', ring: 'edge', lineage, generation: 2 }
    expect(logOf(world).filter(({ kind }) => kind === 'held-by')).toEqual(
      ['i-1', 'i-2', 'i-3'].map((instance) => ({
        ...line,
        at: expect.any(String),
        instance,
        encryptsWith: current.name,
        since: done.toISOString(),
      })),
    )
  })
})

describe('machines that are behind', () => {
  it('are counted by their code, in a metric that the dashboard finds by it', async () => {
    const world = await converged()
    for (const instance of world.fleet.instances.slice(0, 2)) instance.conduct = 'denied'
    world.clock.advance(TIMING.every)
    world.eventLog.entries.length = 0
    await world.scheduled()
    const [line, ...others] = logOf(world).filter(({ RingFailures }) => RingFailures !== undefined)
    expect(others).toEqual([])
    expect(line).toMatchObject({ Ring: 'edge', Code: 'unreached', RingFailures: 2 })
    expect(line._aws.CloudWatchMetrics).toEqual([
      {
        Namespace: 'Ticketring',
        Dimensions: [['Ring', 'Code']],
        Metrics: [{ Name: 'RingFailures', Unit: 'Count' }],
      },
    ])
  })
})
