import { describe, expect, it } from 'vitest'
import { type Ancestor, ancestry, isAncestor, isRevokedSince, served } from '../../lambda/ring/ancestry.ts'
import { undelivered } from '../../lambda/ring/delivery-record.ts'
import { advance, genesis, type Ring, revoke, serialiseRing } from '../../lambda/ring/ring.ts'
import type { Known } from '../../lambda/ring/situation.ts'
import { requestMark, tokenFor, tokensFor } from '../../lambda/ring/tokens.ts'
import { seededChance } from '../fakes/chance.ts'
import { HOUR, SECRET_ARN, World } from '../fakes/world.ts'
import { fleetOf, instant, membersOf } from '../fleet/deliveries.ts'

type Step = readonly ['advance' | 'revoke', seconds: number, token?: string]

/** A secret whose versions came one from the other by these steps, the first ring at the start. */
function lineOf(...steps: readonly Step[]) {
  const world = new World()
  const { random, uuid } = seededChance('a line')
  let ring = genesis('edge', uuid(), { parent: 'first', now: instant(0), random })
  const line: Ancestor[] = []
  const keep = (version: string, made: Ring) => {
    ring = made
    world.secret.values.set(version, serialiseRing(made))
    line.unshift({ version, parent: made.parent, generation: made.generation, rotatedAt: made.rotatedAt })
  }
  keep(tokenFor('genesis', SECRET_ARN, 'first'), ring)
  for (const [origin, seconds, token] of steps) {
    const parent = line[0]?.version ?? ''
    const making = { parent, now: instant(seconds), random }
    const make = origin === 'revoke' ? revoke : advance
    keep(tokenFor(origin, SECRET_ARN, parent, token), make(ring, making, ring.generation + 1))
  }
  const [newest] = line
  if (newest === undefined) throw new RangeError('no line')
  const known = (seconds: number, carried: Known['carried'] = {}): Known => ({
    now: instant(seconds),
    labels: { current: newest.version },
    delivery: undelivered(newest.version, ring),
    carried,
    fleet: fleetOf(membersOf(1)),
  })
  return { ports: world.ports(), line, known, newest }
}

const versions = async (found: AsyncGenerator<Ancestor, void>) => {
  const all: string[] = []
  for await (const { version } of found) all.push(version)
  return all
}
const names = (line: readonly Ancestor[]) => line.map(({ version }) => version)

describe('the versions that led to a ring', () => {
  const four = () => lineOf(['advance', 100], ['advance', 200], ['advance', 300])

  it('are named newest first, to the first one that was made before the time', async () => {
    const { ports, line, newest } = four()
    expect(await versions(ancestry(ports, newest, instant(-1)))).toEqual(names(line))
    expect(await versions(ancestry(ports, newest, instant(200)))).toEqual(names(line.slice(0, 3)))
    expect(await versions(ancestry(ports, newest, instant(201)))).toEqual(names(line.slice(0, 2)))
  })

  it('end where a version is gone, or cannot be one', async () => {
    const { ports, line, newest } = four()
    const asked: string[] = []
    const read = async (which: 'AWSCURRENT' | { readonly version: string }) => {
      if (which !== 'AWSCURRENT') asked.push(which.version)
      return asked.length < 2 ? ports.versions.read(which) : undefined
    }
    const forgetful = {
      ...ports,
      versions: { ...ports.versions, labels: () => ports.versions.labels(), read },
    }
    expect(await versions(ancestry(forgetful, newest, instant(-1)))).toEqual(names(line.slice(0, 2)))
    const short = { ...newest, parent: 'x'.repeat(31) }
    asked.length = 0
    expect(await versions(ancestry(forgetful, short, instant(-1)))).toEqual([newest.version])
    expect(asked).toEqual([])
    await versions(ancestry(forgetful, { ...newest, parent: 'x'.repeat(32) }, instant(-1)))
    expect(asked).toEqual(['x'.repeat(32)])
  })

  it('are a hundred at most', async () => {
    const steps = Array.from({ length: 120 }, (_, at): Step => ['advance', at])
    const { ports, newest } = lineOf(...steps)
    expect(await versions(ancestry(ports, newest, instant(-1)))).toHaveLength(100)
  })

  it('are told from those that did not', async () => {
    const { ports, line, newest } = four()
    for (const { version } of line) expect(await isAncestor(ports, newest, version, instant(-1))).toBe(true)
    expect(await isAncestor(ports, newest, 'another', instant(-1))).toBe(false)
  })
})

describe('a revoke since a version was current', () => {
  it('is one that was committed after it, not before', async () => {
    const { ports, line, newest } = lineOf(['advance', 100], ['revoke', 200], ['advance', 300])
    const since = (at: number) => {
      const each = line[at] ?? newest
      return isRevokedSince(ports, newest, { parent: each.version, rotatedAt: each.rotatedAt })
    }
    // Newest first: the advance after the revoke, the revoke itself, the advance before it.
    expect([await since(0), await since(1), await since(2), await since(3)]).toEqual([
      false,
      false,
      true,
      true,
    ])
  })

  it('is looked for a day before the version was staged', async () => {
    const { ports, newest } = lineOf(['revoke', 100], ['advance', 200], ['advance', 300])
    const staged = (seconds: number) =>
      isRevokedSince(ports, newest, { parent: 'gone', rotatedAt: instant(seconds) })
    expect(await staged(24 * HOUR + 200)).toBe(true)
    expect(await staged(24 * HOUR + 201)).toBe(false)
    const { ports: quiet, newest: last } = lineOf(['advance', 100])
    expect(await isRevokedSince(quiet, last, { parent: 'gone', rotatedAt: instant(0) })).toBe(false)
  })
})

describe('what a client asked for before', () => {
  const said = (token: string, generation: number) =>
    `the token ${token} made generation ${generation} before`

  it.each(['rotate', 'revoke'] as const)(
    'is found by its token, however much followed: %s',
    async (action) => {
      const origin = action === 'rotate' ? 'advance' : 'revoke'
      const { ports, known } = lineOf(['advance', 100], [origin, 200, 'mine'], ['advance', 300])
      expect(await served(ports, known(400), { action, token: 'mine' })).toBe(said('mine', 3))
      expect(await served(ports, known(400), { action, token: 'other' })).toBeUndefined()
      const other = action === 'rotate' ? 'revoke' : 'rotate'
      expect(await served(ports, known(400), { action: other, token: 'mine' })).toBeUndefined()
    },
  )

  it('is found where it was made under a later one of its names, or anew in the name of what was overtaken', async () => {
    const parent = tokenFor('genesis', SECRET_ARN, 'first')
    const [, second = ''] = tokensFor('revoke', SECRET_ARN, parent, 'mine')
    const { ports, known } = lineOf()
    const delivery = { ...known(0).delivery, version: second, parent, generation: 2 }
    expect(await served(ports, { ...known(9), delivery }, { action: 'revoke', token: 'mine' })).toBe(
      said('mine', 2),
    )
    const overtaken = lineOf(
      ['advance', 100],
      ['revoke', 200, tokenFor('revoke', SECRET_ARN, parent, 'mine')],
    )
    const asked = { action: 'revoke', token: 'mine' } as const
    expect(await served(overtaken.ports, overtaken.known(300), asked)).toBe(said('mine', 3))
  })

  it('is found on record as well, of its own action', async () => {
    const { ports, known } = lineOf(['advance', 100])
    const requests = [
      { token: requestMark('revoke', 'mine'), generation: 5 },
      { token: requestMark('advance', 'mine'), generation: 6 },
    ]
    const asked = (action: 'rotate' | 'revoke') =>
      served(ports, known(200, { requests }), { action, token: 'mine' })
    expect([await asked('revoke'), await asked('rotate')]).toEqual([said('mine', 5), said('mine', 6)])
  })

  it('without a token is a revoke of the last ten minutes, and no rotation', async () => {
    const { ports, known } = lineOf(['revoke', 100], ['advance', 200])
    const found = await served(ports, known(700), { action: 'revoke' })
    expect(found).toBe(
      'a revoke made generation 2 600 s ago, and this goes on with it: for another one give a "token"',
    )
    expect(await served(ports, known(701), { action: 'revoke' })).toBeUndefined()
    expect(await served(ports, known(200), { action: 'rotate' })).toBeUndefined()
    const none = lineOf(['advance', 100])
    expect(await served(none.ports, none.known(200), { action: 'revoke' })).toBeUndefined()
  })
})
