import { describe, expect, it } from 'vitest'
import { TaggedInstances } from '../../lambda/aws/fleet-inventory.ts'
import { timeoutOf } from '../../lambda/fleet/rollout.ts'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { following } from '../../lambda/kernel/paging.ts'
import { SCRIPT } from '../fakes/fleet.ts'
import { StapleWorld } from '../fakes/staple-world.ts'
import { converged, HOUR, TIMING, World } from '../fakes/world.ts'

const idsOf = (count: number) =>
  Array.from({ length: count }, (_, n) => `i-${String(n + 1).padStart(3, '0')}`)
const sentTo = ({ fleet }: World) => fleet.orders.map(({ to }) => (to === 'all' ? to : to.length))
type CommandSender = ReturnType<World['ports']>['sender']
const withSender = (sender: CommandSender, changes: Partial<CommandSender>): CommandSender => ({
  send: sender.send.bind(sender),
  progress: sender.progress.bind(sender),
  results: sender.results.bind(sender),
  resultOf: sender.resultOf.bind(sender),
  ...changes,
})
const due = async (count: number) => {
  const world = await converged(idsOf(count))
  world.clock.advance(TIMING.every)
  return world
}

describe('a machine that is not online', () => {
  it.each([3, 50, 120])('of %i holds up none of the others, and gets no command', async (count) => {
    const world = await due(count)
    const [dead] = world.fleet.instances
    if (dead) dead.online = false
    const { fleet } = await world.rotate()
    expect(fleet).toMatchObject({ confirmed: count - 1 })
    expect(world.fleet.instances.slice(1).every(({ ring }) => ring?.generation === 2)).toBe(true)
    for (const { to } of world.fleet.orders.slice(1)) expect(to).not.toContain('i-001')
    expect(sentTo(world)[1]).toBe(Math.min(count - 1, 50))
  })

  it('is sent to as soon as it is back, whatever the back-off of others', async () => {
    const world = await due(3)
    const [dead] = world.fleet.instances
    if (dead) dead.online = false
    await world.rotate()
    await world.pass(2 * HOUR)
    const sent = world.fleet.orders.length
    if (dead) dead.online = true
    await world.reconcile()
    expect(world.fleet.orders.slice(sent).map(({ to }) => to)).toEqual([['i-001']])
    expect(world.delivery()).toMatchObject({ confirmed: 3 })
  })

  it('keeps no staple from the others', async () => {
    const world = new StapleWorld(['i-1', 'i-2', 'i-3'])
    const [dead] = world.fleet.machines
    if (dead) dead.online = false
    world.add('www')
    expect((await world.refresh()).fleet).toMatchObject({ members: 3, confirmed: 2 })
    expect(world.fleet.orders.map(({ to }) => to)).toEqual([['i-2', 'i-3']])
  })
})

describe('a machine that is online and never answers', () => {
  it('holds up the first command alone: the others are reached in the same run', async () => {
    const world = await due(5)
    const [zombie] = world.fleet.instances
    if (zombie) zombie.conduct = 'lose'
    expect((await world.rotate()).fleet).toMatchObject({ confirmed: 4 })
    expect(sentTo(world).slice(1)).toEqual(['all', 1, 1, 1, 1, 1])
  })
})

describe('a share that fails', () => {
  it.each([20, 100])('stops a delivery to %i machines before all have it, and pages', async (count) => {
    const world = await due(count)
    for (const instance of world.fleet.instances) instance.conduct = 'fail'
    const { decision } = await world.rotate()
    expect(decision).toMatchObject({ action: 'hold', reason: expect.stringContaining('0 of') })
    expect(world.eventLog.of('measured').at(-1)?.metrics.RotationHeld).toBe(1)
    const tried = [...world.fleet.commands.values()]
      .slice(1)
      .flatMap(({ invocations }) => [...invocations.values()])
    expect(tried.filter(({ status }) => status === 'Failed').length).toBeLessThan(count / 2)
  })

  it('is no single machine: the others are reached in the same run', async () => {
    const world = await due(10)
    const [failing] = world.fleet.instances
    if (failing) failing.conduct = 'fail'
    expect((await world.rotate()).fleet).toMatchObject({ confirmed: 9 })
  })

  it('is what maxFailures says', async () => {
    const world = await due(20)
    const target = { ...world.configuration.target, maxFailures: 50 }
    world.configuration = { ...world.configuration, target }
    for (const instance of world.fleet.instances.slice(0, 4)) instance.conduct = 'fail'
    await world.rotate()
    expect(world.delivery()).toMatchObject({ confirmed: 16, failed: 4 })
  })
})

describe('the time that a command may take', () => {
  it('covers the whole ramp: one, two, four and so on up to the share that may run at a time, each as long as it may run', () => {
    const timing = { delivery: 120, execution: 100 }
    expect(timeoutOf(1, 10, timing)).toBe(120)
    expect(timeoutOf(3, 10, timing)).toBe(120 + 2 * 100)
    // 1, 2, 4, 5, 5, 3
    expect(timeoutOf(20, 25, timing)).toBe(120 + 5 * 100)
    // 1, 2, 4, 8, 5
    expect(timeoutOf(20, 100, timing)).toBe(120 + 4 * 100)
  })
})

describe('a command that is refused', () => {
  const invalid = new TicketringError('instance-invalid', {
    wanted: 'to send',
    came: 'InvalidInstanceId: i-002',
  })

  it('for one machine that it names goes by the tag', async () => {
    const world = await due(3)
    const dead = world.fleet.instances.at(-1)
    if (dead) dead.online = false
    const { sender, ...ports } = world.ports()
    const refusing = withSender(sender, {
      send: (order: Parameters<typeof sender.send>[0]) =>
        order.to === 'all' ? sender.send(order) : Promise.reject(invalid),
    })
    await world.invoke({ action: 'rotate' }, { ...ports, sender: refusing })
    expect(sentTo(world)).toEqual(['all', 'all'])
    expect(world.eventLog.of('trouble').map(({ detail }) => detail)).toContain(
      'instance-invalid: InvalidInstanceId: i-002',
    )
  })

  it('is a reason on record, and is tried again by the next tick', async () => {
    const world = await due(3)
    const { sender, ...ports } = world.ports()
    const refusing = withSender(sender, { send: () => Promise.reject(new Error('boom')) })
    const { decision } = await world.invoke({ action: 'rotate' }, { ...ports, sender: refusing })
    expect(decision).toMatchObject({
      action: 'hold',
      reason: expect.stringContaining('not sent: Error: boom'),
    })
    expect(world.delivery()).toMatchObject({ attempts: 0, unsent: 'Error: boom' })
    world.clock.advance(TIMING.tick)
    expect((await world.reconcile()).fleet).toMatchObject({ confirmed: 3 })
    expect(world.delivery()).not.toHaveProperty('unsent')
  })
})

describe('a fleet that shrinks to a fifth', () => {
  const shrink = (world: World, how: 'present' | 'tagged') => {
    for (const instance of world.fleet.instances.slice(2)) instance[how] = false
  }

  it('because machines were terminated goes on', async () => {
    const world = await due(10)
    shrink(world, 'present')
    expect(await world.rotate()).toMatchObject({ generation: 2, fleet: { members: 2, confirmed: 2 } })
  })

  it('is measured without those that were terminated, though another one lost its tag', async () => {
    const world = await due(10)
    for (const instance of world.fleet.instances.slice(4)) instance.present = false
    const [untagged] = world.fleet.instances
    if (untagged) untagged.tagged = false
    expect(await world.rotate()).toMatchObject({ generation: 2, fleet: { members: 3 } })
  })

  it('to nothing goes on as well', async () => {
    const world = await due(10)
    for (const instance of world.fleet.instances) instance.present = false
    expect(await world.rotate()).toMatchObject({ generation: 2 })
  })

  it('because they lost their tag is held, and followed after hours', async () => {
    const world = await due(10)
    shrink(world, 'tagged')
    expect((await world.rotate()).decision.reason).toContain('8 that Systems Manager still lists do not')
    await world.pass(HOUR)
    expect(world.ring().generation).toBe(1)
    await world.pass(4 * HOUR)
    expect(world.ring().generation).toBe(2)
  })

  it.each([
    [2, 2],
    [3, 1],
  ])('goes by minInstances alone where that is %i: generation %i', async (minInstances, generation) => {
    const world = await due(10)
    world.configuration = { ...world.configuration, target: { ...world.configuration.target, minInstances } }
    shrink(world, 'tagged')
    await world.rotate()
    expect(world.ring().generation).toBe(generation)
  })

  it('goes on where the share that is set allows it', async () => {
    const world = await due(10)
    world.configuration = { ...world.configuration, target: { ...world.configuration.target, minShare: 20 } }
    shrink(world, 'tagged')
    expect(await world.rotate()).toMatchObject({ generation: 2 })
  })
})

describe('pages', () => {
  it.each([
    ['an empty token', ['a', ''], ['a']],
    ['the token that was asked with', ['a', 'a'], ['a']],
    ['a token from before', ['a', 'b', 'a'], ['a', 'b']],
    ['no token', ['a', undefined], ['a']],
  ])('end at %s', (_, tokens, followed) => {
    const seen = new Set<string>()
    expect(tokens.map((token) => following(token, seen)).filter(Boolean)).toEqual(followed)
  })

  it('of a roll call that repeat a token end, and a machine on two of them is one', async () => {
    let calls = 0
    const row = { InstanceId: 'i-1', PingStatus: 'Online' }
    const client = {
      send: async () => {
        calls += 1
        return { InstanceInformationList: calls === 3 ? null : [row], NextToken: 'same' }
      },
    }
    const inventory = new TaggedInstances(client as never, { tag: 'ring', values: ['edge'] })
    expect(await inventory.members()).toEqual([{ id: 'i-1', online: true }])
    expect(calls).toBe(2)
  })

  it('of results that cannot be read stop nothing: what was read counts, and the rest is read later', async () => {
    const world = new World(idsOf(120))
    const { sender, ...ports } = world.ports()
    const broken = withSender(sender, {
      results: (id: string, page?: string) =>
        page === '50' ? Promise.reject(new Error('InternalServerError')) : sender.results(id, page),
    })
    await world.invoke({ action: 'reconcile' }, { ...ports, sender: broken })
    expect(world.delivery()).toMatchObject({ confirmed: 50, reading: { next: '50' } })
    await world.reconcile()
    expect(world.delivery()).toMatchObject({ confirmed: 120 })
    expect(world.fleet.orders).toHaveLength(1)
  })
})

describe('a ring past maxKeyAge', () => {
  it('is replaced in the invocation that sees it, though its command is still under way', async () => {
    const world = await due(3)
    const { sender, ...ports } = world.ports()
    const progress = async () => ({ state: 'running', targets: 3, completed: 1 }) as const
    const slow = { ...ports, sender: withSender(sender, { progress }) }
    world.clock.advance(TIMING.maxKeyAge - TIMING.every - 60)
    const { rotatedAt } = world.ring()
    await world.invoke({ action: 'deliver' }, slow)
    expect(world.ring().generation).toBe(2)
    const late = (world.ring().rotatedAt.getTime() - rotatedAt.getTime()) / 1000 - TIMING.maxKeyAge
    expect(late).toBeLessThanOrEqual(TIMING.tick)
  })
})

describe('a redelivery', () => {
  it('is judged without reading again what was read of the commands before it', async () => {
    const world = await due(120)
    const [failing] = world.fleet.instances
    if (failing) failing.conduct = 'fail'
    await world.rotate()
    const read: string[] = []
    const { sender, ...ports } = world.ports()
    const watched = withSender(sender, {
      results: (id: string, page?: string) => {
        read.push(id)
        return sender.results(id, page)
      },
    })
    world.clock.advance(TIMING.tick)
    await world.invoke({ action: 'reconcile' }, { ...ports, sender: watched })
    expect(new Set(read).size).toBe(1)
    expect(world.delivery()).toMatchObject({ confirmed: 119, failed: 1 })
  })
})

describe('after a deploy with another program', () => {
  const OTHER = 'fedcba987654'
  async function redeployed(): Promise<World> {
    const world = await converged(['i-1', 'i-2', 'i-3', 'i-4'])
    const document = { ...world.configuration.document, name: `ticketring-edge-${OTHER}`, script: OTHER }
    world.configuration = { ...world.configuration, document }
    world.fleet.script = OTHER
    return world
  }

  it('what machines proved with the one before counts: a machine that joins is sent it alone', async () => {
    const world = await redeployed()
    world.fleet.join('i-5', false)
    await world.pass(2 * TIMING.tick)
    expect(world.fleet.orders.slice(1).map(({ to }) => to)).toEqual([['i-5']])
    expect(world.delivery()).toMatchObject({ members: 5, confirmed: 5, scripts: [SCRIPT, OTHER] })
  })

  it('the next generation brings it to all, ramped, and its results alone count', async () => {
    const world = await redeployed()
    world.clock.advance(TIMING.every)
    await world.rotate()
    expect(world.fleet.orders.at(-1)).toMatchObject({ to: 'all', ramp: true, generation: 2 })
    expect(world.delivery()).toMatchObject({ confirmed: 4, scripts: [OTHER] })
    expect(world.fleet.instances.map(({ script }) => script)).toEqual(Array(4).fill(OTHER))
  })

  it('no answer of a program that no command brought counts', async () => {
    const world = await redeployed()
    world.fleet.script = 'aaaaaaaaaaaa'
    world.clock.advance(TIMING.every)
    await world.rotate()
    const [first] = world.delivery()?.stragglers ?? []
    expect(first?.detail).toBe(`ran script aaaaaaaaaaaa, not ${OTHER}`)
  })
})
