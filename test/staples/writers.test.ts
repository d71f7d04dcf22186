import { describe, expect, it } from 'vitest'
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
