import { describe, expect, it } from 'vitest'
import { hearFleet } from '../../lambda/ring/deliver.ts'
import { observe, type RotationPorts } from '../../lambda/ring/observation.ts'
import { converged, methods, TIMING, World } from '../fakes/world.ts'

/** The ports of a world, with every look at the labels and every label taken off on a list. */
function watched(world: World) {
  const calls: string[] = []
  const { secret } = world
  const ports: RotationPorts = {
    ...world.ports(),
    versions: {
      labels: async () => {
        calls.push('labels')
        return secret.labels()
      },
      read: secret.read.bind(secret),
    },
    commits: {
      ...methods(secret),
      unlabel: async (label, version) => {
        calls.push(label)
        return secret.unlabel(label, version)
      },
    },
  }
  return { calls, ports }
}

describe('an invocation that', () => {
  it('found nothing to do does not look again', async () => {
    const world = await converged()
    const { calls, ports } = watched(world)
    await world.invoke({ action: 'reconcile' }, ports)
    expect(calls).toEqual(['labels'])
  })

  it('took AWSPREVIOUS off does not look again: no commit has come between', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    const { calls, ports } = watched(world)
    await world.invoke({ action: 'rotate' }, ports)
    expect(calls).toEqual(['labels', 'AWSPENDING', 'AWSPREVIOUS'])
    expect(world.secret.holders.has('AWSPREVIOUS')).toBe(false)
  })

  it('took another label off looks again', async () => {
    const world = await converged()
    world.secret.values.set('left-behind', '{}')
    world.secret.holders.set('AWSPENDING', 'left-behind')
    await world.reconcile()
    world.clock.advance(31 * 60)
    const { calls, ports } = watched(world)
    await world.invoke({ action: 'reconcile' }, ports)
    expect(calls).toEqual(['labels', 'AWSPENDING', 'labels'])
  })

  it('found AWSPREVIOUS gone looks again: a commit may have moved it', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    const { calls, ports } = watched(world)
    const unlabel = async (label: 'AWSPREVIOUS' | 'AWSPENDING' | 'REVOKING', version: string) => {
      world.secret.holders.delete(label)
      return ports.commits.unlabel(label, version)
    }
    await world.invoke({ action: 'rotate' }, { ...ports, commits: { ...ports.commits, unlabel } })
    expect(calls.at(-1)).toBe('labels')
  })

  it('delivered looks again', async () => {
    const world = await converged()
    const { calls, ports } = watched(world)
    await world.invoke({ action: 'deliver' }, ports)
    expect(calls).toEqual(['labels', 'labels'])
  })
})

it('an invocation ends, whatever Run Command does: where it takes a command and names none', async () => {
  const world = await converged()
  const { fleet } = world
  let sent = 0
  const sender = {
    send: async () => {
      sent += 1
      return []
    },
    progress: fleet.progress.bind(fleet),
    results: fleet.results.bind(fleet),
    resultOf: fleet.resultOf.bind(fleet),
  }
  world.secret.values.set('copy', world.secret.values.get(world.secret.holders.get('AWSCURRENT') ?? '') ?? '')
  world.secret.moveByHand('copy')
  const run = world.invoke({ action: 'reconcile' }, { ...world.ports(), sender })
  await expect(run).rejects.toThrow(/^no end after 64 steps: deliver: /)
  expect(sent).toBe(64)
})

describe('a ring that becomes current while another one is delivered', () => {
  /** With each command that is sent, AWSCURRENT moves to another version of the same ring. */
  const restless = (world: World, most: number) => {
    const { secret, fleet } = world
    let moves = 0
    const send: RotationPorts['sender']['send'] = async (order) => {
      const ids = await fleet.send(order)
      if (moves === most) return ids
      const moved = `moved-${++moves}`
      secret.values.set(moved, secret.values.get(secret.holders.get('AWSCURRENT') ?? '') ?? '')
      secret.moveByHand(moved)
      return ids
    }
    const sender = {
      send,
      progress: fleet.progress.bind(fleet),
      results: fleet.results.bind(fleet),
      resultOf: fleet.resultOf.bind(fleet),
    }
    return { ...world.ports(), sender }
  }

  it('is delivered in the same invocation', async () => {
    const world = await converged()
    const { version, fleet } = await world.invoke({ action: 'deliver' }, restless(world, 1))
    expect(version).toBe('moved-1')
    expect(fleet).toMatchObject({ confirmed: 3 })
    expect(world.fleet.orders).toHaveLength(3)
  })

  it('is left to the next tick where that happens a fourth time', async () => {
    const world = await converged()
    const before = world.fleet.orders.length
    const { version } = await world.invoke({ action: 'deliver' }, restless(world, 99))
    expect(world.fleet.orders.length - before).toBe(4)
    expect(version).toBe('moved-3')
    expect(world.secret.holders.get('AWSCURRENT')).toBe('moved-4')
  })
})

describe('a rotation that is asked for', () => {
  it('is fulfilled by the first ring of a secret', async () => {
    const world = new World()
    const { generation, decision } = await world.rotate()
    expect(generation).toBe(1)
    expect(decision.action).toBe('rest')
  })

  it('is not fulfilled by the delivery of the ring that is there: it says what it waits for', async () => {
    const world = new World([])
    await world.reconcile()
    world.record.text = undefined
    for (const id of ['i-1', 'i-2']) world.fleet.join(id, false)
    const { did, decision } = await world.rotate()
    expect(did[0]).toMatch(/^deliver: /)
    expect(decision).toMatchObject({ action: 'hold' })
  })
})

describe('what a delivery leaves behind', () => {
  it('is of when its machines were heard', async () => {
    const world = await converged()
    world.fleet.pollsUntilEnd = 4
    const began = world.clock.now()
    const { asOf } = await world.invoke({ action: 'deliver' })
    expect(asOf).toBe(world.clock.now().toISOString())
    expect(new Date(asOf) > began).toBe(true)
  })
})

describe('the audit', () => {
  const heldBy = (world: World) => world.eventLog.of('held-by').map(({ instance }) => instance)

  it('says of a first delivery who held the ring already', async () => {
    const world = new World([])
    await world.reconcile()
    for (const id of ['i-1', 'i-2']) world.fleet.join(id)
    world.record.text = undefined
    await world.reconcile()
    expect(heldBy(world)).toEqual(['i-1', 'i-2'])
    for (const name of ['drifted', 'launch', 'afterLocalRing', 'serverVersion'])
      expect(world.eventLog.of('held-by')[0]).not.toHaveProperty(name)
  })

  it('where nobody is known to have confirmed, says it of those that were missing or changed', async () => {
    const world = await converged()
    const { delivery, ...situation } = await observe(world.ports())
    if (delivery === undefined) throw new RangeError('no ring')
    const [id = ''] = await world.fleet.send({ to: 'all', ramp: false, timeout: 60, generation: 1 })
    const [sentAt, stragglers] = [world.clock.now(), [{ id: 'i-2', code: 'unheard', detail: '' }]]
    const commands = [
      { id: 'c-0', sentAt, judged: true },
      { id, sentAt, judged: false },
    ]
    const before = world.eventLog.of('held-by').length
    const late = { ...delivery, membership: 'another', commands, attempts: 2, confirmed: 2, stragglers }
    await hearFleet(world.ports(), { ...situation, delivery: late }, 'await')
    expect(heldBy(world).slice(before)).toEqual(['i-2'])
  })
  /** A command to all is under way while another machine joins: the record does not say who of these confirmed. */
  const joinedMeanwhile = async (prepare: (world: World) => void = () => undefined) => {
    const world = new World()
    prepare(world)
    await world.reconcile()
    world.fleet.pollsUntilEnd = 1000
    await world.invoke({ action: 'deliver' })
    world.fleet.pollsUntilEnd = 0
    world.fleet.join('i-4')
    return world
  }

  it('says nothing of machines again that had confirmed', async () => {
    const world = await joinedMeanwhile()
    expect(heldBy(world)).toEqual(['i-1', 'i-2', 'i-3'])
    await world.reconcile()
    expect(heldBy(world).filter((id) => id !== 'i-4')).toEqual(['i-1', 'i-2', 'i-3'])
  })

  it('says it of one that had the ring and could not say so', async () => {
    const world = await joinedMeanwhile(({ fleet }) => {
      const [, second] = fleet.instances
      if (second) second.conduct = 'late'
    })
    expect(heldBy(world)).toEqual(['i-1', 'i-3'])
    const [first, second] = world.fleet.instances
    if (second) Object.assign(second, { conduct: 'apply', ring: first?.ring })
    await world.reconcile()
    expect(heldBy(world).filter((id) => id !== 'i-4')).toEqual(['i-1', 'i-3', 'i-2'])
  })
})
