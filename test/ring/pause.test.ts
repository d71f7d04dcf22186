import { describe, expect, it } from 'vitest'
import { runStep } from '../../lambda/ring/secrets-manager-steps.ts'
import { begun, converged, HOUR, hooked, REVOKE, stepOf, TIMING, TOKEN, World } from '../fakes/world.ts'

const PAUSE = { action: 'pause', for: '2d', reason: 'sale', by: 'ada' } as const
const DAY = 24 * HOUR
const generationOf = (world: World) => world.ring().generation

async function paused(...args: ConstructorParameters<typeof World>): Promise<World> {
  const world = await converged(...args)
  await world.invoke(PAUSE)
  return world
}

describe('a paused ring', () => {
  it('says until when, by whom and why, and makes no generation until then', async () => {
    const world = await converged()
    const answer = await world.invoke(PAUSE)
    const until = '2026-11-23T19:00:00.000Z'
    expect(answer.paused).toEqual({ until, reason: 'sale', by: 'ada' })
    expect(answer.did).toEqual([`paused until ${until} by ada: sale`])
    world.clock.advance(TIMING.every)
    for (const event of [{ action: 'rotate' }, { action: 'rotate', scheduledTime: '2026-11-21T23:00:00Z' }])
      expect((await world.invoke(event)).decision).toMatchObject({
        action: 'hold',
        until,
        reason: expect.stringContaining('by ada: sale'),
      })
    await world.pass(12 * HOUR)
    expect(generationOf(world)).toBe(1)
    expect((await world.invoke({ action: 'status' })).paused).toMatchObject({ by: 'ada' })
  })

  it('goes on by itself at the end, by the next tick', async () => {
    const world = await paused()
    world.clock.advance(2 * DAY - 1)
    await world.reconcile()
    expect(generationOf(world)).toBe(1)
    world.clock.advance(1)
    await world.reconcile()
    expect(generationOf(world)).toBe(2)
    expect(await world.invoke({ action: 'status' })).not.toHaveProperty('paused')
  })

  it('goes on at once where an operator resumes it', async () => {
    const world = await paused()
    world.clock.advance(TIMING.every + TIMING.tick)
    expect(await world.invoke({ action: 'resume', reason: 'sale is over' })).not.toHaveProperty('paused')
    await world.reconcile()
    expect(generationOf(world)).toBe(2)
    expect((await world.invoke({ action: 'resume' })).did).toEqual(['it was not paused'])
  })

  it('is not advanced past maxKeyAge, which pages; before that nothing does', async () => {
    const world = await paused()
    world.fleet.join('i-4', false).conduct = 'lose'
    world.eventLog.entries.length = 0
    await world.pass(TIMING.maxKeyAge - TIMING.tick)
    const held = () => world.eventLog.of('measured').map(({ metrics }) => metrics.RotationHeld)
    expect(new Set(held())).toEqual(new Set([0]))
    world.eventLog.entries.length = 0
    await world.pass(HOUR)
    expect(generationOf(world)).toBe(1)
    expect(held().at(-1)).toBe(1)
    expect((await world.rotate()).decision).toMatchObject({ action: 'hold' })
  })

  it('still brings its generation to a machine that joins or comes back, and repairs', async () => {
    const world = await paused()
    world.fleet.join('i-4', false)
    await world.reconcile()
    expect(world.delivery()).toMatchObject({ members: 4, confirmed: 4 })
    expect((await world.invoke({ action: 'deliver' })).did[0]).toContain('asked for by hand')
  })

  it('is revoked all the same, and stays paused', async () => {
    const world = await paused()
    const answer = await world.invoke(REVOKE)
    expect(answer).toMatchObject({ generation: 2, proof: { refused: 3 }, paused: { by: 'ada' } })
  })

  it('has no first ring made', async () => {
    const world = new World()
    await world.invoke(PAUSE)
    for (const event of [{ action: 'reconcile' }, { action: 'rotate' }])
      expect((await world.invoke(event)).decision).toMatchObject({ action: 'hold' })
    expect(world.secret.values.size).toBe(1)
    world.clock.advance(2 * DAY)
    await world.reconcile()
    expect(generationOf(world)).toBe(1)
  })

  it('is changed by nothing but its own parameter where it was only asked what would be', async () => {
    const world = await converged()
    const before = world.traces()
    const answer = await world.invoke({ ...PAUSE, dryRun: true })
    expect(answer.decision.reason).toMatch(/^would be paused until/)
    expect(answer.did).toEqual([])
    await world.invoke(PAUSE)
    expect(world.traces()).toEqual(before)
    expect(world.controls.versions).toHaveLength(1)
  })
})

describe('a pause of a ring that Secrets Manager turns', () => {
  it('refuses the first step, and says until when', async () => {
    const world = hooked()
    await world.reconcile()
    world.clock.advance(TIMING.every)
    await world.invoke(PAUSE)
    await expect(world.secret.start(TOKEN)).rejects.toMatchObject({
      code: 'rotation-held',
      came: expect.stringContaining('paused until 2026-11-23'),
    })
    expect(generationOf(world)).toBe(1)
  })

  it('that came after the first step holds up the last, before the commit; one that was committed ends well', async () => {
    const world = await begun()
    await runStep(world.ports(), stepOf('createSecret'))
    await world.invoke(PAUSE)
    await expect(runStep(world.ports(), stepOf('finishSecret'))).rejects.toMatchObject({
      code: 'rotation-held',
    })
    expect(generationOf(world)).toBe(1)
    await world.invoke({ action: 'resume' })
    await runStep(world.ports(), stepOf('finishSecret'))
    await world.invoke(PAUSE)
    await runStep(world.ports(), stepOf('finishSecret'))
    expect(generationOf(world)).toBe(2)
  })

  it('lets no AWSPENDING of a refused step hold up the rotation after it', async () => {
    const world = await begun()
    await world.invoke({ ...PAUSE, for: '4h' })
    await expect(runStep(world.ports(), stepOf('createSecret'))).rejects.toMatchObject({
      code: 'rotation-held',
    })
    world.secret.onRotate = hooked().secret.onRotate
    await world.pass(HOUR)
    expect((await world.secret.labels()).pending).not.toBe(TOKEN)
  })
})

describe('a control parameter that a person wrote', () => {
  const by = 'bob, by the AWS CLI'
  const written = (until: string) => JSON.stringify({ version: 1, paused: { until, reason: 'audit', by } })

  it('counts like one that the function wrote', async () => {
    const world = await converged()
    world.controls.put(written('2026-11-22T19:00:00Z'))
    world.clock.advance(TIMING.every + TIMING.tick)
    expect((await world.reconcile()).paused).toMatchObject({ reason: 'audit', by })
    expect(generationOf(world)).toBe(1)
  })

  it('as nonsense pages, and what it said before counts: a pause goes on, and a running ring runs', async () => {
    for (const [before, generation] of [
      [[written('2026-11-22T19:00:00Z')], 1],
      [[], 2],
      [['{', written('2026-11-22T19:00:00Z'), 'x', '{"version":1,"paused":"yes"}'], 1],
    ] as const) {
      const world = await converged()
      for (const text of before) world.controls.put(text)
      world.controls.put('{"version":1,"pausd":{}}')
      world.clock.advance(TIMING.every + TIMING.tick)
      const answer = await world.reconcile()
      expect(answer.controlProblem).toContain('"pausd"')
      expect(generationOf(world)).toBe(generation)
      expect(world.eventLog.of('measured').at(-1)?.metrics).toMatchObject({ ControlInvalid: 1 })
      expect(world.eventLog.of('trouble')[0]?.during).toBe('reading the control parameter')
    }
  })

  it('is mended by whatever is set next, which keeps what counted', async () => {
    const world = await paused(['i-1', 'i-2'])
    world.controls.put('nonsense')
    const answer = await world.invoke({ action: 'quarantine', instance: 'i-1', for: '1h', reason: 'disk' })
    expect(answer).toMatchObject({
      paused: { by: 'ada' },
      quarantine: [{ instance: 'i-1', by: 'an operator' }],
    })
    expect(answer).not.toHaveProperty('controlProblem')
  })
})

describe('two operators at once', () => {
  it('lose nothing of what either sets', async () => {
    for (const isFirst of [true, false]) {
      const world = await converged()
      if (!isFirst) await world.invoke({ action: 'resume' })
      const ports = world.ports()
      let reads = 0
      const controls = {
        read: async () => {
          const stored = await world.controls.read()
          reads += 1
          // Between the reading that the change is made of and its writing.
          if (reads === 2) await world.invoke(PAUSE)
          return stored
        },
        earlier: (version: number) => world.controls.earlier(version),
        write: (text: string, after: number) => world.controls.write(text, after),
      }
      const event = { action: 'quarantine', instance: 'i-2', for: '90m', reason: 'disk' }
      await world.invoke(event, { ...ports, controls })
      expect(await world.invoke({ action: 'status' })).toMatchObject({
        paused: { by: 'ada' },
        quarantine: [{ instance: 'i-2', reason: 'disk' }],
      })
    }
  })
})

describe('a request to set something', () => {
  it.each([
    [{ action: 'pause', for: '2d' }, '"reason"'],
    [{ action: 'pause', reason: 'x' }, '"for" as a duration with its unit, up to 7d'],
    [{ action: 'pause', for: '120', reason: 'x' }, '"120"'],
    [{ action: 'pause', for: 120, reason: 'x' }, '"for"'],
    [{ action: 'pause', for: '0h', reason: 'x' }, '"0h"'],
    [{ action: 'pause', for: '-1h', reason: 'x' }, '"-1h"'],
    [{ action: 'pause', for: '169h', reason: 'x' }, '"169h"'],
    [{ action: 'resume', for: '1h' }, '"for" as absent'],
    [{ action: 'rotate', instance: 'i-1' }, '"instance" as absent'],
    [{ action: 'deliver', by: 'x' }, '"by" as absent'],
    [{ action: 'quarantine', for: '1h', reason: 'x' }, '"instance"'],
    [{ action: 'quarantine', instance: 'web', for: '1h', reason: 'x' }, '"instance"'],
    [{ action: 'quarantine', instance: 'i-1', reason: 'x' }, '"for"'],
    [{ action: 'quarantine', instance: 'i-1', for: '1h' }, '"reason"'],
    [{ action: 'release' }, '"instance"'],
    [{ action: 'pause', ring: 'edge', for: '1h', reason: 'x' }, '"ring"'],
  ])('is refused: %j', async (event, why) => {
    const world = await converged()
    const refused = { code: 'request-invalid', message: expect.stringContaining(why) }
    await expect(world.invoke(event)).rejects.toMatchObject(refused)
    expect(world.controls.versions).toEqual([])
  })

  it('is refused for a machine that is not there, with the one that was meant', async () => {
    const world = await converged(['i-0a1b2c', 'i-0a1b2d'])
    const event = { action: 'quarantine', instance: 'i-0a1b2', for: '1h', reason: 'x' }
    await expect(world.invoke(event)).rejects.toMatchObject({ fix: 'Did you mean i-0a1b2c?' })
    await expect(world.invoke({ action: 'release', instance: 'i-0a1b2c' })).rejects.toMatchObject({
      wanted: 'a machine that is set aside',
    })
  })

  it('is refused for more than a tenth of the machines, or for a second one of a few', async () => {
    const world = await converged(Array.from({ length: 20 }, (_, n) => `i-${n}`))
    const aside = (instance: string) =>
      world.invoke({ action: 'quarantine', instance, for: '1h', reason: 'x' })
    await aside('i-1')
    await aside('i-2')
    await aside('i-2')
    await expect(aside('i-3')).rejects.toMatchObject({
      code: 'request-invalid',
      wanted: expect.stringContaining('2 of 20'),
    })
    await world.invoke({ action: 'release', instance: 'i-1' })
    expect((await aside('i-3')).quarantine?.map(({ instance }) => instance)).toEqual(['i-2', 'i-3'])
    world.clock.advance(HOUR)
    expect((await aside('i-4')).quarantine).toHaveLength(1)
  })
})
