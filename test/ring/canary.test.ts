import { describe, expect, it } from 'vitest'
import { parseRecord, serialiseRecord } from '../../lambda/ring/delivery-record-text.ts'
import { CANARY, due, holding, IDS, MINUTE, machine, made, settled } from '../fakes/canary-world.ts'
import { HOUR, hooked, REVOKE, TIMING, type World } from '../fakes/world.ts'

const metricsOf = (world: World) => world.eventLog.of('measured').at(-1)?.metrics

describe('a new generation', () => {
  it('goes to the canary alone, and to the others after its proof and the soak', async () => {
    const world = await due()
    const { decision, canary } = await world.rotate()
    expect(holding(world, 2)).toEqual(['i-1'])
    expect(decision).toMatchObject({
      action: 'hold',
      reason: expect.stringContaining('the others follow after its soak'),
    })
    expect(canary).toMatchObject({ held: true, machines: ['i-1'], soaksUntil: decision.until })
    expect(metricsOf(world)).toMatchObject({ RotationHeld: 0, Stragglers: 0 })
    expect(metricsOf(world)).not.toHaveProperty('CanaryFailed')
    await world.pass(10 * MINUTE)
    expect(holding(world, 1)).toEqual(['i-2', 'i-3', 'i-4', 'i-5'])
    await world.pass(10 * MINUTE)
    expect(holding(world, 2)).toEqual(IDS)
    expect(world.delivery()).toMatchObject({ confirmed: 5, members: 5 })
  })

  it('goes to the canary by both tags, and then to all in waves', async () => {
    const world = await due()
    world.fleet.orders.length = 0
    await world.rotate()
    await world.pass(20 * MINUTE)
    expect(world.fleet.orders.map(({ to, ramp, canary }) => ({ to, ramp, canary }))).toEqual([
      { to: 'all', ramp: false, canary: true },
      { to: 'all', ramp: true, canary: undefined },
    ])
  })

  it('is sent to no machine by the four steps: a tick sends it to the canary', async () => {
    const world = hooked(IDS, { canary: CANARY })
    machine(world, 'i-1').canary = true
    await world.reconcile()
    await world.pass(20 * MINUTE)
    world.clock.advance(TIMING.every)
    await world.rotate()
    expect(holding(world, 2)).toEqual([])
    await world.pass(5 * MINUTE)
    expect(holding(world, 2)).toEqual(['i-1'])
  })

  it('waits for every machine of the canary, but for one of several that is away', async () => {
    const world = await due({ canaries: ['i-1', 'i-2'] })
    machine(world, 'i-2').conduct = 'fail'
    await world.rotate()
    await world.pass(30 * MINUTE)
    expect(holding(world, 2)).toEqual(['i-1'])
    machine(world, 'i-2').online = false
    await world.pass(30 * MINUTE)
    expect(holding(world, 2)).toEqual(['i-1', 'i-3', 'i-4', 'i-5'])
  })

  it('begins its soak anew where another machine joins the canary', async () => {
    const world = await due()
    await world.rotate()
    await world.pass(10 * MINUTE)
    machine(world, 'i-2').canary = true
    world.fleet.join('i-6', false)
    await world.pass(10 * MINUTE)
    expect(holding(world, 2)).toEqual(['i-1', 'i-2'])
    await world.pass(20 * MINUTE)
    expect(holding(world, 2)).toHaveLength(6)
  })
})

describe('a canary that fails', () => {
  async function failing(): Promise<World> {
    const world = await due()
    machine(world, 'i-1').conduct = 'fail'
    await world.rotate()
    await world.pass(30 * MINUTE)
    return world
  }

  it('leaves the others on the generation before, names itself and pages, without a word of stragglers', async () => {
    const world = await failing()
    expect(holding(world, 1)).toEqual(IDS)
    const { decision, fleet } = await world.invoke({ action: 'status' })
    expect(decision).toMatchObject({
      action: 'hold',
      reason: expect.stringContaining('canary: 0 of 1 machines'),
    })
    expect(fleet?.stragglers.map(({ id }) => id)).toEqual(['i-1'])
    expect(metricsOf(world)).toMatchObject({ CanaryFailed: 1, RotationHeld: 0, Stragglers: 1 })
  })

  it('that is mended is followed by the rest', async () => {
    const world = await failing()
    machine(world, 'i-1').conduct = 'apply'
    await world.invoke({ action: 'deliver' })
    expect(holding(world, 2)).toEqual(['i-1'])
    expect(metricsOf(world)).not.toHaveProperty('CanaryFailed')
    await world.pass(20 * MINUTE)
    expect(holding(world, 2)).toEqual(IDS)
  })

  it('is overridden by promote: the rest follows at once', async () => {
    const world = await failing()
    const { did } = await world.invoke({ action: 'promote', reason: 'its disk is broken' })
    expect(did[0]).toBe('promote: asked for: generation 2 goes to all')
    expect(holding(world, 2)).toEqual(['i-2', 'i-3', 'i-4', 'i-5'])
    expect(world.eventLog.of('asked')).toEqual([
      { kind: 'asked', action: 'promote', reason: 'its disk is broken', dryRun: false },
    ])
  })

  it('says also that a rotation is held, once one is due', async () => {
    const world = await failing()
    await world.pass(4 * HOUR)
    expect(metricsOf(world)).toMatchObject({ CanaryFailed: 1, RotationHeld: 1 })
    expect(world.ring().generation).toBe(2)
  })

  it('holds the others until maxKeyAge less L: they get the ring, by their own program, before it is replaced', async () => {
    const world = await failing()
    const began = world.ring().rotatedAt.getTime()
    const ends = began + (TIMING.maxKeyAge - TIMING.ticketLifetime - 3 * TIMING.tick) * 1000
    await world.pass((ends - world.clock.now().getTime()) / 1000 - TIMING.tick)
    expect(holding(world, 2)).toEqual([])
    world.fleet.orders.length = 0
    world.configuration = {
      ...world.configuration,
      document: { ...world.configuration.document, name: 'ticketring-edge-ba9876543210' },
    }
    await world.pass(2 * TIMING.tick)
    expect(holding(world, 2)).toEqual(['i-2', 'i-3', 'i-4', 'i-5'])
    const toOthers = world.fleet.orders.find(({ canary }) => canary === undefined)
    expect(toOthers).toMatchObject({ to: 'all', program: 'keep' })
    expect(world.delivery()?.canary).toMatchObject({ forced: true })
    await world.pass(3 * HOUR)
    expect(world.ring().generation).toBe(3)
  })

  it('leaves the others no two generations behind where the function was silent past maxKeyAge', async () => {
    const world = await failing()
    world.clock.advance(TIMING.maxKeyAge)
    await world.reconcile()
    // It was sent to all before its successor was made.
    const sent = world.fleet.orders.filter(({ canary }) => canary === undefined)
    expect(sent.map(({ generation }) => generation).slice(0, 3)).toEqual([1, 2])
  })
})

describe('a canary that is not there', () => {
  it('holds and pages: no machine has its tag', async () => {
    const world = await due()
    machine(world, 'i-1').canary = false
    const { decision } = await world.rotate()
    expect(decision.reason).toBe('there is no canary: no machine of the ring with the tag canary=yes')
    expect(metricsOf(world)).toMatchObject({ CanaryFailed: 1 })
    expect(holding(world, 2)).toEqual([])
  })

  it('holds and pages: none of it is online', async () => {
    const world = await due()
    machine(world, 'i-1').online = false
    const { decision } = await world.rotate()
    expect(decision.reason).toBe(
      'the canary is away: none of 1 machine of the ring with the tag canary=yes is online',
    )
    expect(metricsOf(world)).toMatchObject({ CanaryFailed: 1 })
  })

  it('holds and pages: Systems Manager does not say who it is', async () => {
    const world = await due()
    world.fleet.canaryDenied = true
    const { decision } = await world.rotate()
    expect(decision.reason).toContain("the canary's machines are not known: AccessDeniedException")
    expect(metricsOf(world)).toMatchObject({ CanaryFailed: 1 })
  })

  it('holds where the roll call is refused, which sends a ring without a canary by the tag', async () => {
    const world = await due()
    await world.rotate()
    world.fleet.rollCallDenied = true
    await world.pass(20 * MINUTE)
    expect(holding(world, 2)).toEqual(['i-1'])
  })
})

describe('stopOnAlarms', () => {
  const NAMES = ['errors', 'arn:aws:cloudwatch:eu-central-1:111122223333:alarm:latency']

  /** Generation 2 has soaked beside alarms in these states. */
  async function soaked(states: Readonly<Record<string, string>>): Promise<World> {
    const world = made({ stopOnAlarms: NAMES })
    setAlarms(world, { errors: 'OK', latency: 'OK' })
    await world.reconcile()
    await world.pass(20 * MINUTE)
    world.clock.advance(TIMING.every)
    setAlarms(world, states)
    await world.rotate()
    await world.pass(25 * MINUTE)
    return world
  }

  function setAlarms(world: World, states: Readonly<Record<string, string>>): void {
    world.fleet.alarms.clear()
    for (const [name, state] of Object.entries(states)) world.fleet.alarms.set(name, state)
  }

  it('lets the others follow where all are quiet, without data too', async () => {
    expect(holding(await soaked({ errors: 'OK', latency: 'INSUFFICIENT_DATA' }), 2)).toHaveLength(5)
  })

  it.each([
    ['one is in the state ALARM', { errors: 'OK', latency: 'ALARM' }, 'latency is in the state ALARM'],
    ['one is not there', { errors: 'OK' }, 'there is no alarm latency (canary.stopOnAlarms)'],
  ])('holds the others and pages where %s, until that is over', async (_, states, reason) => {
    const world = await soaked(states)
    expect(holding(world, 2)).toEqual(['i-1'])
    const { decision } = await world.invoke({ action: 'status' })
    expect(decision.reason).toContain(reason)
    expect(metricsOf(world)).toMatchObject({ CanaryFailed: 1 })
    setAlarms(world, { errors: 'OK', latency: 'OK' })
    await world.pass(5 * MINUTE)
    expect(holding(world, 2)).toEqual(IDS)
  })
})

describe('what does not wait for the canary', () => {
  it('is a revoke', async () => {
    const world = await due()
    machine(world, 'i-1').conduct = 'fail'
    await world.rotate()
    await world.invoke(REVOKE)
    expect(holding(world, 3)).toEqual(['i-2', 'i-3', 'i-4', 'i-5'])
  })

  it('is a redelivery of what has passed, also under a document that has not', async () => {
    const world = await due()
    machine(world, 'i-5').conduct = 'lose'
    await world.rotate()
    await world.pass(20 * MINUTE)
    const { document } = world.configuration
    world.configuration = {
      ...world.configuration,
      document: { ...document, name: 'ticketring-edge-ba9876543210' },
    }
    machine(world, 'i-5').conduct = 'apply'
    await world.pass(40 * MINUTE)
    expect(holding(world, 2)).toEqual(IDS)
    expect(world.fleet.orders.at(-1)).toMatchObject({ to: ['i-5'], program: 'keep' })
  })

  it('is one machine that an operator names', async () => {
    const world = await due()
    machine(world, 'i-1').conduct = 'fail'
    await world.rotate()
    const id = 'i-0000000a'
    const named = world.fleet.join(id, false)
    await world.invoke({ action: 'deliver', instance: id })
    expect(named.ring?.generation).toBe(2)
  })
})

describe('a new document', () => {
  async function deployed(world: World): Promise<World> {
    const document = { name: 'ticketring-edge-ba9876543210', version: '1', script: 'ba9876543210' }
    world.configuration = { ...world.configuration, document }
    world.fleet.script = document.script
    return world
  }

  const running = (world: World, script: string) =>
    world.fleet.instances.filter((each) => each.script === script).map(({ id }) => id)

  it('reaches the canary with the next generation, and the others once it has passed', async () => {
    const world = await deployed(await due())
    await world.rotate()
    expect(running(world, 'ba9876543210')).toEqual(['i-1'])
    await world.pass(20 * MINUTE)
    expect(running(world, 'ba9876543210')).toEqual(IDS)
  })

  it('that is delivered by hand reaches the canary; the others prove the ring by the program that they have', async () => {
    const world = await deployed(await settled())
    await world.invoke({ action: 'deliver' })
    expect(running(world, 'ba9876543210')).toEqual(['i-1'])
    expect(world.delivery()).toMatchObject({ confirmed: 5 })
    const { canary } = await world.invoke({ action: 'status' })
    expect(canary).toMatchObject({
      documentPassed: false,
      document: 'ticketring-edge-ba9876543210',
      passed: 'ticketring-edge-0123456789ab',
    })
    await world.invoke({ action: 'promote' })
    await world.invoke({ action: 'deliver' })
    expect(running(world, 'ba9876543210')).toEqual(IDS)
  })

  it('that no canary has proved does not travel with a revoke', async () => {
    const world = await deployed(await settled())
    await world.invoke(REVOKE)
    expect(running(world, 'ba9876543210')).toEqual([])
    expect(world.delivery()).toMatchObject({ confirmed: 5 })
  })
})

describe('promote', () => {
  it('does nothing where nothing waits', async () => {
    const world = await due()
    const { decision } = await world.invoke({ action: 'promote', dryRun: true })
    expect(decision).toEqual({ action: 'rest', reason: 'nothing of generation 1 waits for a canary' })
  })

  it('is not lost to an invocation that was under way', async () => {
    const world = await due()
    machine(world, 'i-1').conduct = 'fail'
    await world.rotate()
    const before = world.ports()
    const records = {
      read: () => before.records.read(),
      write: async (text: string) => {
        const stored = parseRecord(world.record.text ?? '')
        // It was written by a promote just now.
        if (stored.delivery?.canary?.passedAt === undefined) return before.records.write(text)
      },
    }
    await world.invoke({ action: 'promote' }, { ...before, records })
    expect(world.delivery()?.canary?.passedAt).toBeDefined()
  })
})

it('a record with a canary in it reads as it was written, and one of before has none', async () => {
  const world = await due()
  await world.rotate()
  await world.pass(20 * MINUTE)
  const text = world.record.text ?? ''
  expect(serialiseRecord(parseRecord(text))).toBe(text)
  const { delivery, carried, ...rest } = JSON.parse(text)
  const { canary: _, ...older } = delivery
  const { passed: __, scripts: ___, ...before } = carried
  const parsed = parseRecord(JSON.stringify({ ...rest, delivery: older, carried: before }))
  expect(parsed.delivery).not.toHaveProperty('canary')
})
