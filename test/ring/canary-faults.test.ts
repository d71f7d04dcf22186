/** What befalls a canary, and those that wait for it. */
import { describe, expect, it } from 'vitest'
import type { RotationPorts } from '../../lambda/ring/observation.ts'
import { CANARY, due, holding, IDS, MINUTE, machine, settled } from '../fakes/canary-world.ts'
import { SCRIPT } from '../fakes/fleet.ts'
import { converged, REVOKE, TIMING, type World } from '../fakes/world.ts'

const SCRIPTS = ['ba9876543210', 'ca9876543210', 'da9876543210'] as const

/** A deploy, with another program. */
function deploy(world: World, script: string = SCRIPTS[0]): void {
  const document = { name: `ticketring-edge-${script}`, version: '1', script }
  world.configuration = { ...world.configuration, document }
  world.fleet.script = script
}

const running = (world: World, script: string) =>
  world.fleet.instances.filter((each) => each.script === script).map(({ id }) => id)

const metricsOf = (world: World) => world.eventLog.of('measured').at(-1)?.metrics

const ordersFrom = (world: World, first: number) =>
  world.fleet.orders.slice(first).map(({ to, ramp, canary, program }) => ({ to, ramp, canary, program }))

/** An invocation in whose midst, while it waits for a command, another one runs. */
function meanwhile(world: World, other: () => Promise<unknown>): RotationPorts {
  const { sender, ...ports } = world.ports()
  let isDone = false
  return {
    ...ports,
    sender: {
      send: sender.send.bind(sender),
      results: sender.results.bind(sender),
      resultOf: sender.resultOf.bind(sender),
      async progress(id) {
        if (!isDone) {
          isDone = true
          await other()
        }
        return sender.progress(id)
      },
    },
  }
}

describe('those that waited for the canary', () => {
  it('get it in waves, also while one of them is away', async () => {
    const world = await due()
    await world.rotate()
    machine(world, 'i-5').online = false
    const sent = world.fleet.orders.length
    await world.pass(20 * MINUTE)
    expect(ordersFrom(world, sent)[0]).toMatchObject({ to: ['i-1', 'i-2', 'i-3', 'i-4'], ramp: true })
  })

  it('get it in waves, though a tick writes its record after a promote', async () => {
    const world = await due({ machines: 20 })
    machine(world, 'i-1').conduct = 'fail'
    await world.rotate()
    machine(world, 'i-1').conduct = 'apply'
    world.clock.advance(2 * 60 * MINUTE)
    const sent = world.fleet.orders.length
    const promote = () =>
      expect(world.invoke({ action: 'promote' }, dyingAfterWrite(world))).rejects.toThrow('killed')
    await world.invoke({ action: 'reconcile' }, meanwhile(world, promote))
    expect(world.delivery()?.canary?.passedAt).toBeDefined()
    await world.pass(10 * MINUTE)
    expect(holding(world, 2)).toHaveLength(20)
    const toOthers = world.fleet.orders.slice(sent).find(({ canary }) => canary === undefined)
    expect(toOthers).toMatchObject({ to: 'all', ramp: true })
  })

  /** An operator's invocation that ends once its first word is on record. */
  function dyingAfterWrite(world: World): RotationPorts {
    const { records, sender, ...ports } = world.ports()
    const die = async () => {
      throw new Error('killed')
    }
    return {
      ...ports,
      records: {
        read: () => records.read(),
        async write(text) {
          await records.write(text)
          throw new Error('killed')
        },
      },
      sender: { send: die, progress: die, results: die, resultOf: die },
    }
  }
})

describe('a canary that is taken out of the configuration while it holds a generation', () => {
  function leave(world: World): void {
    const { canary: _, ...configuration } = world.configuration
    world.configuration = configuration
  }

  it.each([
    ['it soaks', 'apply'],
    ['it fails', 'fail'],
  ] as const)('lets the others have it in waves, once, where %s', async (_, conduct) => {
    const world = await due({ machines: 20 })
    machine(world, 'i-1').conduct = conduct
    await world.rotate()
    leave(world)
    const sent = world.fleet.orders.length
    await world.pass(10 * MINUTE)
    const orders = ordersFrom(world, sent)
    expect(orders[0]).toMatchObject({ to: 'all', ramp: true })
    expect(orders.filter(({ ramp }) => ramp)).toHaveLength(1)
    expect(holding(world, 2).length).toBe(conduct === 'fail' ? 19 : 20)
    expect(world.delivery()?.canary?.passedAt).toBeDefined()
  })

  it('is told of by status', async () => {
    const world = await due()
    machine(world, 'i-1').conduct = 'fail'
    await world.rotate()
    leave(world)
    const { decision } = await world.invoke({ action: 'status' })
    expect(decision).toMatchObject({
      action: 'promote',
      reason: 'the ring has no canary any more: the others get generation 2 in waves',
    })
  })

  it('goes to all by hand', async () => {
    const world = await due()
    await world.rotate()
    leave(world)
    await world.invoke({ action: 'deliver' })
    expect(holding(world, 2)).toEqual(IDS)
  })
})

describe('a canary that fails', () => {
  it('is sent it once more a tick later, though the others were never reached', async () => {
    const world = await due()
    machine(world, 'i-1').conduct = 'fail'
    const sent = world.fleet.orders.length
    await world.rotate()
    expect(world.fleet.orders.length - sent).toBe(1)
    expect(metricsOf(world)).not.toHaveProperty('CanaryFailed')
    await world.pass(5 * MINUTE)
    expect(world.fleet.orders.length - sent).toBe(2)
    expect(metricsOf(world)).toMatchObject({ CanaryFailed: 1 })
  })

  it('alone is counted as failing: the others wait', async () => {
    const world = await due()
    machine(world, 'i-1').conduct = 'fail'
    await world.rotate()
    const failing = world.eventLog.of('failing')
    expect(failing.map(({ machines }) => machines)).toEqual([1])
    expect(world.delivery()?.failures).toMatchObject([{ machines: 1 }])
  })
})

describe('a document', () => {
  it('of a deploy during the soak has not passed by what the canary proved before', async () => {
    const world = await due()
    await world.rotate()
    deploy(world)
    await world.pass(20 * MINUTE)
    expect(holding(world, 2)).toEqual(IDS)
    expect(running(world, SCRIPTS[0]).filter((id) => id !== 'i-1')).toEqual([])
    expect((await world.invoke({ action: 'status' })).canary).toMatchObject({ documentPassed: false })
    world.clock.advance(TIMING.every)
    await world.rotate()
    await world.pass(20 * MINUTE)
    expect(running(world, SCRIPTS[0])).toEqual(IDS)
  })

  it('goes to all where machines only look: no canary proves anything there', async () => {
    const world = await settled()
    world.configuration = { ...world.configuration, mode: 'observe' }
    for (const each of world.fleet.instances) each.observes = true
    deploy(world)
    world.clock.advance(TIMING.every)
    await world.rotate()
    await world.pass(20 * MINUTE)
    expect(running(world, SCRIPTS[0])).toEqual(IDS)
    expect(world.delivery()).not.toHaveProperty('canary')
    expect(world.delivery()).toMatchObject({ attempts: 1, confirmed: 5 })
  })

  it('that never passes leaves the proof of every later generation to the program that machines have', async () => {
    const world = await settled()
    deploy(world)
    for (let revokes = 0; revokes < 3; revokes++) {
      await world.invoke({ ...REVOKE, token: `drill-${revokes}` })
      expect(world.delivery()).toMatchObject({ generation: 2 + revokes, confirmed: 5 })
    }
    expect(running(world, SCRIPT)).toEqual(IDS)
  })

  it('that passes by hand is delivered by the next deliver, not again with what all hold', async () => {
    const world = await settled()
    await world.invoke(REVOKE)
    deploy(world)
    const sent = world.fleet.orders.length
    await world.invoke({ action: 'promote' })
    expect(ordersFrom(world, sent)).toEqual([])
    expect(world.delivery()).toMatchObject({ confirmed: 5 })
    expect((await world.invoke({ action: 'status' })).canary).toMatchObject({
      held: false,
      documentPassed: true,
    })
  })

  it('that passed by hand stays passed, though an invocation of before writes its record later', async () => {
    const world = await settled()
    deploy(world)
    world.fleet.join('i-0000000a', false)
    const promote = () => world.invoke({ action: 'promote' })
    await world.invoke({ action: 'reconcile' }, meanwhile(world, promote))
    expect((await world.invoke({ action: 'status' })).canary).toMatchObject({ documentPassed: true })
  })
})

it('what was delivered before there was a canary is not taken back', async () => {
  const world = await converged(IDS)
  const sent = world.fleet.orders.length
  world.configuration = { ...world.configuration, canary: CANARY }
  await world.pass(10 * MINUTE)
  expect(ordersFrom(world, sent)).toEqual([])
  expect((await world.invoke({ action: 'status' })).canary).toMatchObject({ held: false })
})

it('a soak goes on where a machine joins that is none of the canary', async () => {
  const world = await due()
  await world.rotate()
  const provedAt = world.delivery()?.canary?.provedAt
  world.fleet.join('i-6')
  await world.pass(5 * MINUTE)
  expect(world.delivery()).toMatchObject({ members: 6, canary: { provedAt } })
  expect(provedAt).toBeInstanceOf(Date)
})

describe('an alarm of stopOnAlarms', () => {
  it('that rings during the soak pages at once', async () => {
    const world = await due()
    world.configuration = { ...world.configuration, canary: { ...CANARY, stopOnAlarms: ['errors'] } }
    world.fleet.alarms.set('errors', 'ALARM')
    await world.rotate()
    await world.pass(5 * MINUTE)
    expect(metricsOf(world)).toMatchObject({ CanaryFailed: 1 })
    const { decision } = await world.invoke({ action: 'status' })
    expect(decision.reason).toMatch(/the others follow after its soak, but errors is in the state ALARM$/)
    expect(holding(world, 2)).toEqual(['i-1'])
  })
})
