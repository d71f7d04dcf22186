import { describe, expect, it } from 'vitest'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { later } from '../../lambda/kernel/time.ts'
import { runStep } from '../../lambda/ring/secrets-manager-steps.ts'
import { begun, converged, HOUR, hooked, REVOKE, stepOf, TIMING, TOKEN, World } from '../fakes/world.ts'

const CALENDARS = ['year-end', 'arn:aws:ssm:eu-central-1:444455556666:document/bank-holidays']
const calendars = { calendars: CALENDARS.slice(0, 1) }
const IDS = ['i-1', 'i-2', 'i-3']
const generationOf = (world: World) => world.ring().generation

/** Due, while the calendar is closed for six hours more. */
async function closed(world: World): Promise<World> {
  world.clock.advance(TIMING.every)
  world.calendars.now = { state: 'closed', until: later(world.clock.now(), 6 * HOUR) }
  return world
}

const due = async () => closed(await converged(IDS, calendars))

function unreadable(world: World): void {
  world.calendars.refusal = new TicketringError('access-denied', {
    wanted: 'the state of the calendars year-end',
    came: 'AccessDeniedException: not authorized to perform: ssm:GetCalendarState',
  })
}

const held = (world: World) => world.eventLog.of('measured').map(({ metrics }) => metrics.RotationHeld)

describe('a ring whose calendar is closed', () => {
  it('makes no generation by tick, schedule or hand, says by which calendar and until when, and goes on once it opens', async () => {
    const world = await due()
    const until = '2026-11-22T05:00:00.000Z'
    for (const event of [
      { action: 'rotate' },
      { action: 'rotate', scheduledTime: world.clock.now().toISOString() },
    ])
      expect(await world.invoke(event)).toMatchObject({
        decision: { action: 'hold', until, reason: `held by calendar year-end, until ${until}` },
        calendars: { names: ['year-end'], state: 'closed', until },
      })
    await world.pass(6 * HOUR)
    expect(generationOf(world)).toBe(1)
    world.calendars.now = { state: 'open' }
    await world.reconcile()
    expect(generationOf(world)).toBe(2)
  })

  it('is not advanced past maxKeyAge, which pages; before that nothing does', async () => {
    const world = await due()
    world.eventLog.entries.length = 0
    await world.pass(TIMING.maxKeyAge - TIMING.every - TIMING.tick)
    expect(new Set(held(world))).toEqual(new Set([0]))
    await world.pass(HOUR)
    expect(held(world).at(-1)).toBe(1)
    expect(generationOf(world)).toBe(1)
  })

  it('pages for no machine that is behind before that either: no rotation waits for it', async () => {
    const world = await converged(IDS, calendars)
    const [machine] = world.fleet.instances
    if (machine) machine.conduct = 'lose'
    world.fleet.join('i-4', false).conduct = 'lose'
    world.calendars.now = { state: 'closed' }
    world.eventLog.entries.length = 0
    await world.pass(TIMING.maxKeyAge - TIMING.tick)
    expect(new Set(held(world))).toEqual(new Set([0]))
    world.calendars.now = { state: 'open' }
    await world.reconcile()
    expect(held(world).at(-1)).toBe(1)
  })

  it('still brings its generation to a machine that joins, and erases', async () => {
    const world = await converged(IDS, calendars)
    world.clock.advance(TIMING.every)
    await world.rotate()
    world.calendars.now = { state: 'closed' }
    world.fleet.join('i-4', false)
    await world.pass(HOUR)
    expect(world.delivery()).toMatchObject({ generation: 2, members: 4, confirmed: 4 })
    expect((await world.secret.labels()).previous).toBeUndefined()
    expect((await world.invoke({ action: 'deliver' })).did[0]).toContain('asked for by hand')
  })

  it('is revoked all the same, without asking it', async () => {
    const world = await due()
    expect(await world.invoke(REVOKE)).toMatchObject({ generation: 2, proof: { refused: 3 } })
    expect(world.calendars.asked).toHaveLength(1)
  })

  it('has no first ring made', async () => {
    const world = new World(IDS, calendars)
    world.calendars.now = { state: 'closed' }
    for (const event of [{ action: 'reconcile' }, { action: 'rotate' }])
      expect((await world.invoke(event)).decision).toMatchObject({
        action: 'hold',
        reason: 'held by calendar year-end, no end is planned',
      })
    expect(world.secret.values.size).toBe(1)
    world.calendars.now = { state: 'open' }
    await world.reconcile()
    expect(generationOf(world)).toBe(1)
  })

  it('is said to be held by one of several, for Systems Manager answers for all of them', async () => {
    const world = await closed(await converged(IDS, { calendars: CALENDARS }))
    expect((await world.rotate()).decision.reason).toContain(
      `held by one of the calendars ${CALENDARS.join(', ')}`,
    )
  })

  it('is said to be held where an operator ends a pause', async () => {
    const world = await due()
    await world.invoke({ action: 'pause', for: '2d', reason: 'sale' })
    world.clock.advance(TIMING.tick)
    const { decision } = await world.invoke({ action: 'resume' })
    expect(decision.reason).toContain('held by calendar year-end')
  })
})

describe('the calendars', () => {
  it('are asked once where a generation is made, and not by a tick with nothing to do', async () => {
    const world = await converged(IDS, { calendars: CALENDARS })
    expect(world.calendars.asked).toEqual([CALENDARS])
    await world.pass(HOUR)
    expect(world.calendars.asked).toHaveLength(1)
    world.clock.advance(TIMING.every)
    await world.scheduled()
    await world.reconcile()
    expect(generationOf(world)).toBe(2)
    expect(world.calendars.asked).toHaveLength(2)
  })

  it('are not asked while the fleet holds the rotation up, or a pause does', async () => {
    const world = await converged(IDS, calendars)
    world.clock.advance(TIMING.every)
    await world.rotate()
    const before = world.calendars.asked.length
    expect((await world.rotate()).decision.reason).toContain('live until')
    await world.invoke({ action: 'pause', for: '1h', reason: 'sale' })
    await world.rotate()
    expect(world.calendars.asked).toHaveLength(before)
  })

  it('are asked by status and dry runs, and by nobody where none is configured', async () => {
    const world = await converged(IDS, calendars)
    world.calendars.now = { state: 'open', until: new Date('2026-12-20T00:00:00Z') }
    expect((await world.invoke({ action: 'status' })).calendars).toEqual({
      names: ['year-end'],
      state: 'open',
      until: '2026-12-20T00:00:00.000Z',
    })
    world.calendars.now = { state: 'closed' }
    expect((await world.rotate({ dryRun: true })).decision.reason).toContain('held by calendar')
    const other = await converged()
    expect(await other.invoke({ action: 'status' })).not.toHaveProperty('calendars')
    expect(other.calendars.asked).toEqual([])
  })
})

describe('a calendar that cannot be read', () => {
  it('holds the rotation and pages, as nobody is known to have wanted it', async () => {
    const world = await converged(IDS, calendars)
    unreadable(world)
    world.clock.advance(TIMING.every)
    world.eventLog.entries.length = 0
    await world.pass(HOUR)
    expect(generationOf(world)).toBe(1)
    expect(held(world).slice(1)).toEqual(
      held(world)
        .slice(1)
        .map(() => 1),
    )
    const { decision, calendars: told } = await world.invoke({ action: 'status' })
    expect(decision.reason).toContain(
      'whether calendar year-end is closed cannot be read: access-denied: Access',
    )
    expect(told).toMatchObject({ state: 'unread', problem: expect.stringContaining('GetCalendarState') })
  })

  it('gives way at maxKeyAge: forward secrecy wins over what nobody is known to have closed', async () => {
    for (const mode of ['enforce', 'observe'] as const) {
      const world = new World(IDS, { ...calendars, mode })
      for (const instance of world.fleet.instances) instance.observes = mode === 'observe'
      await world.reconcile()
      unreadable(world)
      await world.pass(TIMING.maxKeyAge - TIMING.tick)
      expect(generationOf(world)).toBe(1)
      const { did } = await world.pass(TIMING.tick).then(() => world.invoke({ action: 'status' }))
      expect(did).toEqual([])
      expect(generationOf(world)).toBe(2)
      expect(world.eventLog.of('decided').find(({ action }) => action === 'advance')?.reason).toContain(
        'past maxKeyAge, although whether calendar year-end is closed cannot be read',
      )
    }
  })

  it('holds the first ring, which the log says as an error', async () => {
    const world = new World(IDS, calendars)
    unreadable(world)
    await world.reconcile()
    expect(world.secret.values.size).toBe(1)
    expect(world.eventLog.of('decided').at(-1)).toMatchObject({ waitsFor: 'unread-calendar', page: true })
  })

  it('is no excuse for a fault of ours', async () => {
    const world = await due()
    const calendars = { state: () => Promise.reject(new TypeError('ours')) }
    await expect(world.invoke({ action: 'rotate' }, { ...world.ports(), calendars })).rejects.toThrow('ours')
  })
})

describe('a ring that Secrets Manager turns', () => {
  it('has its first step refused while the calendar is closed, and says until when', async () => {
    const world = await begun({ calendars: ['year-end'] })
    world.calendars.now = { state: 'closed', until: new Date('2026-11-23T00:00:00Z') }
    await expect(runStep(world.ports(), stepOf('createSecret'))).rejects.toMatchObject({
      code: 'rotation-held',
      came: 'held by calendar year-end, until 2026-11-23T00:00:00.000Z',
    })
    expect(generationOf(world)).toBe(1)
  })

  it('has its first step refused also where there is no ring yet', async () => {
    const world = new World(IDS, { trigger: 'secrets-manager', ...calendars })
    world.secret.rotationEnabled = true
    await world.secret.start(TOKEN)
    world.calendars.now = { state: 'closed' }
    await expect(runStep(world.ports(), stepOf('createSecret'))).rejects.toMatchObject({
      code: 'rotation-held',
    })
  })

  it('is not asked to rotate while it is closed, so that no AWSPENDING is left behind', async () => {
    const world = hooked(IDS, calendars)
    await world.reconcile()
    await closed(world)
    await world.pass(HOUR)
    expect((await world.secret.labels()).pending).toBe((await world.secret.labels()).current)
    expect(generationOf(world)).toBe(1)
  })

  it('is asked about once for a rotation that this function asks for', async () => {
    const world = hooked(IDS, calendars)
    await world.reconcile()
    world.clock.advance(TIMING.every)
    const before = world.calendars.asked.length
    await world.rotate()
    expect(generationOf(world)).toBe(2)
    expect(world.calendars.asked).toHaveLength(before + 1)
  })

  it('gives way at maxKeyAge where the calendar cannot be read', async () => {
    const world = await begun({ calendars: ['year-end'] })
    unreadable(world)
    await expect(runStep(world.ports(), stepOf('createSecret'))).rejects.toMatchObject({
      code: 'rotation-held',
    })
    world.clock.advance(TIMING.maxKeyAge)
    await runStep(world.ports(), stepOf('createSecret'))
    expect(world.secret.values.has(TOKEN)).toBe(true)
  })
})
