import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../lambda/kernel/errors.ts'
import { sharesNoKey } from '../../lambda/ring/ring.ts'
import { runStep } from '../../lambda/ring/secrets-manager-steps.ts'
import { tokensFor } from '../../lambda/ring/tokens.ts'
import { begun, converged, REVOKE, SECRET_ARN, stepOf, TIMING, type World } from '../fakes/world.ts'

async function due(): Promise<World> {
  const world = await converged()
  world.clock.advance(TIMING.every)
  return world
}

type Json = Record<string, unknown>

/** Every path to a field of a JSON value. */
function pathsOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))]
}

function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by
  const copy: unknown = Array.isArray(value) ? [...value] : { ...(value as Json) }
  Reflect.set(copy as object, key, replaced((value as Json)[key], rest, by))
  return copy
}

const odd = fc.constantFrom<unknown>(
  ...['', ' ', null, [], {}, true, -1, 0, 2 ** 53, 1e12, 1e308, 'x'.repeat(3500), '\u0000', '{{ssm:/x}}'],
  ...['9999-12-31T23:59:59Z', '0000-01-01T00:00:00Z', [[]], { version: '' }],
)

describe('a delivery record', () => {
  it('that is garbled in any one field stops no tick and no rotation, and the ring goes on by one', async () => {
    const text = (await converged()).record.text ?? ''
    const paths = pathsOf(JSON.parse(text))
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), odd, fc.boolean(), async (path, value, twice) => {
        const world = await due()
        const garbled = JSON.stringify(replaced(JSON.parse(text), path, value))
        world.record.text = twice ? `${garbled.slice(0, -1)},${garbled.slice(1)}` : garbled
        const before = world.ring()
        await world.reconcile()
        await world.pass(TIMING.maxKeyAge, 4 * TIMING.tick)
        await world.pass(TIMING.every, 4 * TIMING.tick)
        expect(world.ring().lineage).toBe(before.lineage)
        expect(world.ring().generation).toBeGreaterThan(before.generation)
        expect(world.delivery()?.version).toBe(world.secret.holders.get('AWSCURRENT'))
      }),
      { numRuns: 150 },
    )
  })

  it.each(['', 'x', '[]', 'null', '{"v":1}', '{"v":1,"v":2}', '\u0000', '{'.repeat(4000)])(
    'that is %j is rebuilt',
    async (text) => {
      const world = await due()
      world.record.text = text
      await world.rotate()
      expect(world.delivery()).toMatchObject({ generation: 1, confirmed: 3 })
      expect(world.eventLog.of('trouble')).toMatchObject([{ during: 'reading the delivery record' }])
    },
  )

  it('of a generation that no ring may say makes none', async () => {
    const world = await due()
    const { lineage } = world.ring()
    const record = JSON.parse(world.record.text ?? '') as { carried: Json }
    record.carried.highest = { lineage, generation: 999_999_999_999 }
    world.record.text = JSON.stringify(record)
    await world.rotate()
    await world.pass(TIMING.maxKeyAge)
    expect(world.ring().generation).toBeLessThan(10)
  })
})

const ODD_VALUES = ['{}', '', 'x', '{"schema":"1"}', '{"schema":"2"}', '\u0000'] as const

describe('a label on an odd version', () => {
  it.each(
    (['AWSPENDING', 'AWSPREVIOUS', 'REVOKING'] as const).flatMap((label) =>
      [...ODD_VALUES, undefined].map((value) => [label, value] as const),
    ),
  )('%s on one that holds %j stops no revoke, no tick and no rotation', async (label, value) => {
    for (const event of [REVOKE, { action: 'reconcile' }, { action: 'rotate' }]) {
      const world = await due()
      if (value !== undefined) world.secret.values.set(ODD, value)
      world.secret.holders.set(label, ODD)
      await world.invoke(event)
      await world.pass(40 * 60)
      expect(world.secret.holders.get(label)).toBeUndefined()
      await world.pass(TIMING.every, 4 * TIMING.tick)
      expect(world.delivery()).toMatchObject({
        version: world.secret.holders.get('AWSCURRENT'),
        confirmed: 3,
      })
    }
  })

  it('AWSCURRENT of a form that no ring may name as its parent is refused before anything is staged', async () => {
    const world = await due()
    world.secret.values.set(
      'with a space, an operator typed it',
      world.secret.values.get(current(world)) ?? '',
    )
    world.secret.moveByHand('with a space, an operator typed it')
    await world.reconcile()
    world.clock.advance(TIMING.ticketLifetime)
    const before = [...world.secret.values.keys()]
    await expect(world.rotate()).rejects.toMatchObject({ code: 'ring-malformed' })
    expect([...world.secret.values.keys()]).toEqual(before)
  })
})

const ODD = '0ddba11-0000-0000-0000-000000000000'
const current = (world: World) => world.secret.holders.get('AWSCURRENT') ?? ''

describe('the name of the next version', () => {
  it.each(ODD_VALUES)('under which an operator has put %j is passed over', async (value) => {
    for (const [origin, event] of [
      ['advance', { action: 'rotate' }],
      ['revoke', REVOKE],
    ] as const) {
      const world = await due()
      const [first = '', second] = tokensFor(origin, SECRET_ARN, current(world))
      world.secret.values.set(first, value)
      await world.invoke(event)
      expect(world.secret.history.at(-1)).toBe(second)
      expect(world.ring().generation).toBe(2)
    }
  })

  it('is found however long commits have been refused, up to a day; then that is said', async () => {
    const world = await due()
    const tokens = [...tokensFor('advance', SECRET_ARN, current(world))]
    expect(tokens.length).toBeGreaterThanOrEqual(48)
    for (const token of tokens) world.secret.values.set(token, 'x')
    await expect(world.rotate()).rejects.toMatchObject({ code: 'version-conflict' })
    await world.invoke(REVOKE)
    expect(world.ring().generation).toBe(2)
  })
})

describe('{} under AWSCURRENT after generation N', () => {
  async function lost(): Promise<World> {
    const world = await due()
    world.secret.values.set(ODD, '{}')
    world.secret.holders.set('AWSPREVIOUS', current(world))
    world.secret.moveByHand(ODD)
    return world
  }

  it.each([
    ['its record', (_: World) => {}],
    ['AWSPREVIOUS alone', (world: World) => Object.assign(world.record, { text: undefined })],
  ])('pages, as %s tells, and begins no lineage', async (_, forget) => {
    const world = await lost()
    forget(world)
    for (const event of [{ action: 'reconcile' }, { action: 'rotate' }, { action: 'deliver' }]) {
      const { decision } = await world.invoke(event)
      expect(decision).toMatchObject({
        action: 'hold',
        reason: expect.stringContaining('generation 1 of lineage'),
      })
    }
    expect(world.eventLog.of('measured').at(-1)?.metrics).toMatchObject({
      RotationHeld: 1,
      KeyAge: TIMING.every,
    })
    expect(world.secret.holders.get('AWSCURRENT')).toBe(ODD)
  })

  it('becomes a new lineage by a revoke, with proof', async () => {
    const world = await lost()
    const before = world.fleet.instances[0]?.ring
    const answer = await world.invoke(REVOKE)
    expect(answer).toMatchObject({ generation: 1, proof: { refused: 3 } })
    expect(before && sharesNoKey(world.ring(), before)).toBe(true)
    expect(answer.lineage).not.toBe(before?.lineage)
    await world.pass(2 * TIMING.tick)
    expect([...world.secret.holders.keys()]).toEqual(['AWSCURRENT'])
  })

  it('is refused by createSecret', async () => {
    const world = await begun()
    world.secret.values.set(ODD, '{}')
    world.secret.moveByHand(ODD)

    const refused = await runStep(world.ports(), stepOf('createSecret')).catch((error: unknown) => error)
    expect(isRefusal(refused, 'rotation-held')).toBe(true)
  })
})
