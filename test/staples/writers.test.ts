import { describe, expect, it } from 'vitest'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { digestOf, parseEntry, type StapleEntry, serialiseEntry } from '../../lambda/staples/entry.ts'
import type { StaplePorts } from '../../lambda/staples/ports.ts'
import { ago } from '../fakes/staple-authority.ts'
import { StapleWorld } from '../fakes/staple-world.ts'

/** A promise, and what fulfils it. */
function gate(): [Promise<void>, () => void] {
  let open = () => {}
  return [
    new Promise<void>((resolve) => {
      open = resolve
    }),
    () => open(),
  ]
}

/** A world whose certificate `www` is asked about by two runs at once, each with a response of its own. */
async function race(
  first: (world: StapleWorld) => Buffer,
  second: (world: StapleWorld) => Buffer,
  known: boolean,
): Promise<StapleWorld> {
  const world = new StapleWorld()
  world.add('www')
  if (known) await world.refresh()
  world.clock.advance(60)
  const [held, free] = gate()
  const [arrived, arrive] = gate()
  // The slow run has read the store and its response, but writes only once the quick one is through.
  const slow: StaplePorts = {
    ...world.ports(),
    store: {
      read: (ids) => world.store.read(ids),
      earlier: (id, version) => world.store.earlier(id, version),
      write: async (id, text, after) => {
        arrive()
        await held
        return world.store.write(id, text, after)
      },
    },
  }
  const responses = [first(world), second(world)]
  world.authority.manner = () => responses.shift() ?? Buffer.alloc(0)
  const late = world.invoke({ action: 'refresh', force: true }, slow)
  await arrived
  await world.refresh({ force: true })
  free()
  await late
  return world
}

const older = (world: StapleWorld) =>
  world.authority.say('www', { singles: [{ thisUpdate: ago(world.clock.now(), 50) }] })
const newer = (world: StapleWorld) =>
  world.authority.say('www', { singles: [{ thisUpdate: ago(world.clock.now(), 10) }] })

describe('two fetchers at once', () => {
  it.each([
    ['where there was a response before', true],
    ['where there was none', false],
  ])(
    'leave the newer response in the store and on the machines, whichever function writes last, %s',
    async (_, known) => {
      for (const [first, second] of [[older, newer] as const, [newer, older] as const]) {
        const world = await race(first, second, known)
        const response = world.entry('www')?.response
        expect(response?.thisUpdate).toEqual(ago(world.clock.now(), 10))
        await world.refresh()
        for (const { held } of world.fleet.machines)
          expect(held.get(world.id('www'))).toBe(digestOf(response?.der ?? new Uint8Array()))
      }
    },
  )

  it('do not undo what an operator withdrew meanwhile', async () => {
    const world = new StapleWorld()
    world.add('www')
    await world.refresh()
    const ports = world.ports()
    const store = {
      read: ports.store.read.bind(ports.store),
      earlier: ports.store.earlier.bind(ports.store),
      write: async (id: string, text: string, after: number) => {
        const entry = world.entry('www') as StapleEntry
        if (entry.byHand !== true) await world.invoke({ action: 'withdraw', certificate: 'www' })
        return ports.store.write(id, text, after)
      },
    }
    world.clock.advance(1.1 * 86_400)
    await world.invoke({ action: 'refresh' }, { ...ports, store })
    expect(world.entry('www')).toMatchObject({ state: 'withdrawn', byHand: true })
  })

  it('that never stop are an error, not a loop', async () => {
    const world = new StapleWorld()
    world.add('www')
    await world.refresh()
    const ports = world.ports()
    let n = 0
    const store = {
      read: ports.store.read.bind(ports.store),
      earlier: ports.store.earlier.bind(ports.store),
      write: async (id: string, text: string, after: number) => {
        const entry = parseEntry(text)
        const response = entry.response && { ...entry.response, thisUpdate: ago(world.clock.now(), -++n) }
        await world.store.write(id, serialiseEntry({ ...entry, ...(response ? { response } : {}) }), after)
        return ports.store.write(id, text, after)
      },
    }
    const run = world.invoke({ action: 'refresh', force: true }, { ...ports, store })
    await expect(run).rejects.toMatchObject({ code: 'staple-contended' })
  })
})

describe('a garbled entry', () => {
  it('is as good as none: it is said, asked about again and overwritten', async () => {
    const world = new StapleWorld()
    world.add('www')
    await world.store.write(world.id('www'), '{"v":1,"name":', 0)
    await world.refresh()
    expect(world.entry('www')?.state).toBe('staple')
    expect(world.eventLog.of('trouble')[0]?.detail).toMatch(/staple-malformed/)
  })
})

describe('a store', () => {
  const storing = (world: StapleWorld, changes: Partial<StaplePorts['store']>): StaplePorts => {
    const ports = world.ports()
    const { store } = ports
    const same = {
      read: store.read.bind(store),
      earlier: store.earlier.bind(store),
      write: store.write.bind(store),
    }
    return { ...ports, store: { ...same, ...changes } }
  }
  const worldWith = async (known: boolean) => {
    const world = new StapleWorld()
    world.add('www')
    if (known) await world.hold('www', 86_400)
    return world
  }
  const denied = new TicketringError('access-denied', { wanted: 'a', came: 'b' })

  it('that only this function writes is not asked what was there before', async () => {
    for (const known of [true, false]) {
      const world = await worldWith(known)
      const ports = storing(world, { earlier: () => Promise.reject(new Error('asked')) })
      await world.invoke({ action: 'refresh' }, ports)
      expect(world.entry('www')?.failures).toBe(0)
    }
  })

  it('that refuses is asked once, not as if another function had written first', async () => {
    const world = await worldWith(false)
    const after: number[] = []
    const write = (_: string, __: string, version: number) => {
      after.push(version)
      return Promise.reject(denied)
    }
    await expect(world.invoke({ action: 'refresh' }, storing(world, { write }))).rejects.toBe(denied)
    expect(after).toEqual([0])
  })

  it.each([
    ['is garbled', async () => '{"v":1,"name":', undefined],
    ['cannot be told any more', async () => undefined, undefined],
    ['is refused', () => Promise.reject(denied), denied],
  ])('whose earlier version %s', async (_, earlier, thrown) => {
    const world = await worldWith(true)
    // Another function writes in between.
    const write = async (id: string, text: string, after: number) => {
      await world.hold('www', 86_400)
      return world.store.write(id, text, after)
    }
    const run = world.invoke({ action: 'refresh' }, storing(world, { earlier, write }))
    if (thrown === undefined) await run
    else await expect(run).rejects.toBe(thrown)
  })

  it('that another function always writes as well is given up after eight writes', async () => {
    const world = await worldWith(true)
    let writes = 0
    const write = async (id: string, text: string, after: number) => {
      writes += 1
      const thisUpdate = ago(world.clock.now(), -writes)
      await world.hold('www', 86_400, {}, { thisUpdate })
      return world.store.write(id, text, after)
    }
    const run = world.invoke({ action: 'refresh' }, storing(world, { write }))
    await expect(run).rejects.toMatchObject({ code: 'staple-contended' })
    expect(writes).toBe(8)
  })
})
