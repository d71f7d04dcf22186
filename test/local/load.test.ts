import { describe, expect, it } from 'vitest'
import { Incidents } from '../../local/rehearsal/clients/incidents.ts'
import { Load, twice } from '../../local/rehearsal/clients/load.ts'

const HOUR = 3_600_000

/** A probe whose tries end when they are told to. */
class HeldProbe {
  begun = 0
  last = 0
  readonly #ends: ((rest: number) => void)[] = []

  readonly probe = {
    next: () =>
      new Promise<number>((resolve) => {
        this.begun += 1
        this.#ends.push(resolve)
      }),
    last: async () => {
      this.last += 1
    },
  }

  /** The oldest try is over. */
  end(rest: number): void {
    this.#ends.shift()?.(rest)
  }
}

describe('a load', () => {
  it('has as many clients at work as it was told, and each begins its next try once it has rested', async () => {
    const held = new HeldProbe()
    new Load(held.probe, 3).start()
    expect(held.begun).toBe(3)
    held.end(0)
    await expect.poll(() => held.begun).toBe(4)
  })

  it('that finishes waits for what was begun, begins nothing more, and then has the probe try what is left', async () => {
    const held = new HeldProbe()
    const load = new Load(held.probe, 2)
    load.start()
    const finished = load.finish()
    held.end(0)
    await new Promise(setImmediate)
    expect(held).toMatchObject({ begun: 2, last: 0 })
    held.end(0)
    await finished
    expect(held).toMatchObject({ begun: 2, last: 1 })
  })

  it('that finishes does not wait for a client that rests', async () => {
    const held = new HeldProbe()
    const load = new Load(held.probe, 1)
    load.start()
    held.end(HOUR)
    await new Promise(setImmediate)
    await load.finish()
    expect(held.begun).toBe(1)
  })
})

describe('a connection', () => {
  const failing = (times: number) => {
    let left = times
    return async () => {
      if (left-- > 0) throw new Error(`reset ${left}`)
      return { reused: true }
    }
  }

  it('that fails once is made again, without a word', async () => {
    const told: string[] = []
    expect(await twice(failing(1), ({ message }) => told.push(message))).toEqual({ reused: true })
    expect(told).toEqual([])
  })

  it('that fails twice is told with the second reason', async () => {
    const told: string[] = []
    expect(await twice(failing(2), ({ message }) => told.push(message))).toBeUndefined()
    expect(told).toEqual(['reset 0'])
  })
})

describe('incidents', () => {
  it('are all counted, and the first five of each kind kept in their own words', () => {
    const incidents = new Incidents()
    for (let n = 1; n <= 50; n += 1) incidents.add('lost at a', `lost at a, ${n}`)
    incidents.add('lost at b', 'lost at b, once')
    const first = [1, 2, 3, 4, 5].map((n) => `lost at a, ${n}`)
    expect(incidents).toMatchObject({ total: 51, examples: [...first, 'lost at b, once'] })
  })
})
