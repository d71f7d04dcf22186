import { describe, expect, it } from 'vitest'
import type { RotationPorts } from '../../lambda/ring/observation.ts'
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
    expect(calls.at(-1)).toBe('AWSPREVIOUS')
    expect(world.secret.holders.has('AWSPREVIOUS')).toBe(false)
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

describe('the audit', () => {
  const heldBy = (world: World) => world.eventLog.of('held-by').map(({ instance }) => instance)
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
