import { describe, expect, it } from 'vitest'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import {
  type ObservationPorts,
  observe,
  parentOfPending,
  type RotationPorts,
  readRing,
  saveRecord,
} from '../../lambda/ring/observation.ts'
import type { StoredValue } from '../../lambda/ring/ports.ts'
import { converged, REVOKE, World } from '../fakes/world.ts'

type Which = 'AWSCURRENT' | { readonly version: string }
const DENIED = new TicketringError('access-denied', { wanted: 'the secret', came: 'AccessDenied' })

/** The ports of a world, with every look at labels and values on a list. */
function watched(world: World, read?: (which: Which, nth: number) => Promise<StoredValue | undefined>) {
  const looks: string[] = []
  const { secret } = world
  const versions: RotationPorts['versions'] = {
    labels: async () => {
      looks.push('labels')
      return secret.labels()
    },
    read: async (which) => {
      looks.push(which === 'AWSCURRENT' ? which : which.version)
      const nth = looks.filter((look) => look !== 'labels').length
      return read === undefined ? secret.read(which) : read(which, nth)
    },
  }
  return { looks, ports: { ...world.ports(), versions } }
}

const secondsOf = async (world: World, work: () => Promise<unknown>) => {
  const began = world.clock.now().getTime()
  await work()
  return (world.clock.now().getTime() - began) / 1000
}

describe('labels and a value that do not belong together yet', () => {
  /** The stage answers with the version before, until this look. */
  const lagging = (world: World, until: number) =>
    watched(world, async (which, nth) => {
      if (which === 'AWSCURRENT' && nth < until) return { version: 'before', value: '{}' }
      return world.secret.read(which)
    })

  it('are looked at once where they do', async () => {
    const world = new World()
    const { looks, ports } = watched(world)
    expect(await secondsOf(world, () => observe(ports))).toBe(0)
    expect(looks).toEqual(['labels', 'AWSCURRENT'])
  })

  it('are looked at again, each time after a longer pause', async () => {
    const world = new World()
    const { looks, ports } = lagging(world, 3)
    expect(await secondsOf(world, () => observe(ports))).toBe(0.6)
    expect(looks.filter((look) => look === 'AWSCURRENT')).toHaveLength(3)
  })

  it('are looked at for the fourth and last time by the version that the label names', async () => {
    const world = new World()
    const { looks, ports } = lagging(world, 99)
    expect(await secondsOf(world, () => observe(ports))).toBe(1.2)
    const version = world.secret.holders.get('AWSCURRENT')
    expect(looks.filter((look) => look !== 'labels')).toEqual([
      'AWSCURRENT',
      'AWSCURRENT',
      'AWSCURRENT',
      version,
    ])
  })

  it('are given up where there is no value at all', async () => {
    const world = new World()
    const { ports } = watched(world, async () => undefined)
    await expect(observe(ports)).rejects.toMatchObject({ code: 'secret-without-current' })
  })
})

describe('what is seen of a ring', () => {
  it('that is on record is not read, and has nothing beside it', async () => {
    const world = await converged()
    const { looks, ports } = watched(world)
    const situation = await observe(ports)
    expect(looks).toEqual(['labels'])
    for (const name of ['unread', 'lost', 'pendingParent']) expect(situation).not.toHaveProperty(name)
    expect(situation.delivery?.generation).toBe(1)
  })

  it('that this function may not read is that there may be one', async () => {
    const world = new World()
    const ports: ObservationPorts = { ...world.ports(), versions: { labels: () => world.secret.labels() } }
    const situation = await observe(ports)
    expect(situation).toMatchObject({ unread: true })
    expect(situation).not.toHaveProperty('delivery')
    expect(situation).not.toHaveProperty('lost')
  })

  it('is not what another ring has on record', async () => {
    const world = await converged()
    world.record.text = JSON.stringify({ ...JSON.parse(world.record.text ?? '{}'), ring: 'other' })
    expect((await observe(world.ports())).delivery).toMatchObject({ generation: 1, attempts: 0 })
  })

  it('that the record knows in a later generation is looked at twice: AWSCURRENT may just have moved', async () => {
    const world = await converged()
    const before = world.secret.holders.get('AWSCURRENT') ?? ''
    world.clock.advance(world.configuration.timing.every)
    await world.rotate()
    world.secret.moveByHand(before)
    const { looks, ports } = watched(world)
    expect((await observe(ports)).delivery?.generation).toBe(1)
    expect(looks.filter((look) => look === 'labels')).toHaveLength(2)
  })

  it('that this function may not read is not lost, though another one is on record', async () => {
    const world = await converged()
    world.secret.values.set('unknown', '{}')
    world.secret.moveByHand('unknown')
    const ports: ObservationPorts = { ...world.ports(), versions: { labels: () => world.secret.labels() } }
    const situation = await observe(ports)
    expect(situation).toMatchObject({ unread: true })
    expect(situation).not.toHaveProperty('lost')
    expect(await observe(world.ports())).toHaveProperty('lost')
  })

  it('that the record knows in the same generation, of another version, is looked at once', async () => {
    const world = await converged()
    world.secret.values.set(
      'copy',
      world.secret.values.get(world.secret.holders.get('AWSCURRENT') ?? '') ?? '',
    )
    world.secret.moveByHand('copy')
    const { looks, ports } = watched(world)
    expect((await observe(ports)).delivery?.version).toBe('copy')
    expect(looks.filter((look) => look === 'labels')).toHaveLength(1)
  })

  it('that the record knows in an earlier one is looked at once', async () => {
    const world = await converged()
    const record = world.record.text
    world.clock.advance(world.configuration.timing.every)
    await world.rotate()
    world.record.text = record
    const { looks, ports } = watched(world)
    expect((await observe(ports)).delivery?.generation).toBe(2)
    expect(looks.filter((look) => look === 'labels')).toHaveLength(1)
  })
})

it('a version is no ring where it holds none, and an error where it cannot be read', async () => {
  const { configuration } = new World()
  const reading = (read: () => Promise<StoredValue | undefined>) =>
    readRing({ configuration, versions: { labels: () => Promise.reject(DENIED), read } }, 'v')
  expect(await reading(async () => ({ version: 'v', value: '{"schema":' }))).toBeUndefined()
  expect(await reading(async () => undefined)).toBeUndefined()
  const broken = new Error('the network is down')
  const garble = Object.defineProperty({ version: 'v', value: '' }, 'value', {
    get: () => {
      throw broken
    },
  })
  await expect(reading(async () => garble)).rejects.toBe(broken)
})

describe('the ring under AWSPENDING', () => {
  const pendingOf = (world: World, labels: { current: string; pending?: string }) =>
    parentOfPending(world.ports(), labels)
  const revoked = async () => {
    const world = await converged()
    await world.invoke(REVOKE)
    const current = world.secret.holders.get('AWSCURRENT') ?? ''
    return { world, current, parent: world.ring().parent }
  }

  it('is read after a revoke alone, where it is another version', async () => {
    const { world, current, parent } = await revoked()
    world.secret.values.set('copy', world.secret.values.get(current) ?? '')
    expect(await pendingOf(world, { current, pending: 'copy' })).toBe(parent)
    expect(await pendingOf(world, { current, pending: current })).toBeUndefined()
    expect(await pendingOf(world, { current })).toBeUndefined()
    expect(await pendingOf(world, { current: 'advance-x', pending: 'copy' })).toBeUndefined()
    world.secret.holders.set('AWSPENDING', 'copy')
    expect(await observe(world.ports())).toMatchObject({ pendingParent: parent })
  })

  it('is none where it is garbled, and an error where it cannot be read', async () => {
    const { world, current } = await revoked()
    world.secret.values.set('garbled', '{"schema":')
    expect(await pendingOf(world, { current, pending: 'garbled' })).toBeUndefined()
    const broken = new Error('the network is down')
    const { ports } = watched(world, () => Promise.reject(broken))
    await expect(parentOfPending(ports, { current, pending: 'garbled' })).rejects.toBe(broken)
    const { ports: denied } = watched(world, async () => {
      throw DENIED
    })
    await expect(observe(denied)).resolves.toMatchObject({ labels: { current } })
  })
})

describe('a record', () => {
  const saving = async (attempts: number, judged: readonly boolean[]) => {
    const world = await converged()
    let reads = 0
    const records = {
      read: async () => {
        reads += 1
        return world.record.text
      },
      write: async () => {},
    }
    const situation = await observe(world.ports())
    if (situation.delivery === undefined) throw new RangeError('no ring')
    const commands = judged.map((each, n) => ({ id: `c-${n}`, sentAt: world.clock.now(), judged: each }))
    const delivery = { ...situation.delivery, attempts, commands }
    await saveRecord({ ...world.ports(), records }, { ...situation, delivery })
    return reads
  }

  it('of the first command of a version is written over whatever is there; of any later word not unread', async () => {
    expect(await saving(1, [false])).toBe(0)
    expect(await saving(1, [false, false])).toBe(0)
    expect(await saving(1, [true])).toBe(1)
    expect(await saving(1, [true, false])).toBe(1)
    expect(await saving(2, [false])).toBe(1)
    expect(await saving(0, [])).toBe(1)
  })
})
