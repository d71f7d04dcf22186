import { describe, expect, it } from 'vitest'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { MOST_REQUESTS } from '../../lambda/ring/delivery-record.ts'
import { parseRecord } from '../../lambda/ring/delivery-record-text.ts'
import type { RingCommits } from '../../lambda/ring/ports.ts'
import { converged, methods, REVOKE, TIMING, type World } from '../fakes/world.ts'

const DENIED = new TicketringError('access-denied', { wanted: 'to move AWSCURRENT', came: 'AccessDenied' })

/** The ports of a world whose commits are other ones. */
function committing(world: World, changes: Partial<RingCommits>) {
  return { ...world.ports(), commits: { ...methods(world.secret), ...changes } }
}
const current = ({ secret }: World) => secret.holders.get('AWSCURRENT') ?? ''
const requestsOf = ({ record }: World) => parseRecord(record.text ?? '').carried.requests ?? []
const due = async () => {
  const world = await converged()
  world.clock.advance(TIMING.every)
  return world
}

describe('a move of AWSCURRENT', () => {
  it('whose answer is lost has been made: the rotation goes on', async () => {
    const world = await due()
    const promote = async (version: string, parent: string) => {
      await world.secret.promote(version, parent)
      throw new Error('the answer is lost')
    }
    const { generation, did } = await world.invoke({ action: 'rotate' }, committing(world, { promote }))
    expect(generation).toBe(2)
    expect(did[0]).toMatch(/^advance: /)
    expect(world.eventLog.of('committed').map((each) => each.generation)).toEqual([1, 2])
  })

  it('whose answer is lost, and whose ring was replaced already, has been made as well', async () => {
    const world = await due()
    const promote = async (version: string, parent: string) => {
      await world.secret.promote(version, parent)
      await world.invoke(REVOKE)
      throw new Error('the answer is lost')
    }
    const answer = await world.invoke({ action: 'rotate' }, committing(world, { promote }))
    expect(answer.generation).toBe(3)
    expect(answer.version).toMatch(/^revoke-/)
  })

  it('that is refused changes nothing, and takes no label off', async () => {
    const world = await due()
    const before = current(world)
    const taken: string[] = []
    let looks = 0
    const ports = committing(world, {
      promote: () => Promise.reject(DENIED),
      unlabel: async (label) => taken.push(label) > 0,
    })
    const versions = {
      read: world.secret.read.bind(world.secret),
      labels: async () => {
        looks += 1
        return world.secret.labels()
      },
    }
    await expect(world.invoke({ action: 'rotate' }, { ...ports, versions })).rejects.toBe(DENIED)
    // To begin with, and to learn that it was not made.
    expect(looks).toBe(2)
    expect(current(world)).toBe(before)
    expect(taken).toEqual([])
  })

  it('that another commit overtook takes AWSPENDING off what was staged, and off nothing else', async () => {
    for (const [event, label] of [
      [{ action: 'rotate' }, 'AWSPENDING'],
      [REVOKE, undefined],
    ] as const) {
      const world = await due()
      const taken: string[] = []
      let overtaken = false
      const ports = committing(world, {
        promote: async (version, parent) => {
          if (!overtaken) {
            overtaken = true
            world.secret.values.set('other', world.secret.values.get(current(world)) ?? '')
            world.secret.moveByHand('other')
          }
          await world.secret.promote(version, parent)
        },
        unlabel: async (each, version) => {
          taken.push(`${each} of ${version.split('-')[0]}`)
          return world.secret.unlabel(each, version)
        },
      })
      await world.invoke(event, ports).catch((error: TicketringError) => {
        expect(error.code).toBe('staged-ring-dead')
      })
      const pending = taken.filter((each) => each.startsWith('AWSPENDING'))
      expect(pending.slice(0, 1)).toEqual(label === undefined ? [] : [expect.stringContaining(label)])
    }
  })
})

describe('a revoke that is staged and was never committed', () => {
  const staged = async () => {
    const world = await converged()
    await expect(
      world.invoke(REVOKE, committing(world, { promote: () => Promise.reject(DENIED) })),
    ).rejects.toBe(DENIED)
    return { world, version: world.secret.holders.get('REVOKING') ?? '' }
  }

  it('is committed by the next invocation, by the version that it has', async () => {
    const { world, version } = await staged()
    await world.reconcile()
    expect(current(world)).toBe(version)
    expect(world.secret.holders.get('REVOKING')).toBeUndefined()
  })

  it('is not what a client with a token of its own asks for: that is another one', async () => {
    const { world, version } = await staged()
    await world.invoke({ ...REVOKE, token: 'a-token-of-its-own' })
    expect(current(world)).not.toBe(version)
    expect(current(world)).toMatch(/^revoke-/)
  })
})

describe('the tokens of callers', () => {
  it('are remembered with what came of them, beside whatever else is carried', async () => {
    const world = await due()
    const before = parseRecord(world.record.text ?? '').carried
    await world.rotate({ token: 'ticket-4711-of-the-change' })
    expect(requestsOf(world)).toMatchObject([{ generation: 2 }])
    expect(parseRecord(world.record.text ?? '').carried.baseline?.members).toBe(before.baseline?.members)
  })

  it('are remembered up to a number, the latest of them', async () => {
    const world = await due()
    const record = JSON.parse(world.record.text ?? '{}')
    const earlier = Array.from({ length: MOST_REQUESTS }, (_, n) => ({
      token: `advance:earlier-${n}`,
      generation: 1,
    }))
    world.record.text = JSON.stringify({ ...record, carried: { ...record.carried, requests: earlier } })
    await world.rotate({ token: 'ticket-4711-of-the-change' })
    const now = { token: 'advance:ticket-4711-of-the-change', generation: 2 }
    expect(requestsOf(world)).toEqual([...earlier.slice(1), now])
  })

  it('are none where none was given', async () => {
    const world = await due()
    await world.rotate()
    expect(requestsOf(world)).toEqual([])
  })
})
