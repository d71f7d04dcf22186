import { createHmac } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isRefusal } from '../../lambda/kernel/errors.ts'
import { fromLayout, losslessLayout, toLayout } from '../../lambda/ring/layouts.ts'
import {
  adopt,
  advance,
  genesis,
  keysOf,
  parseRing,
  type Ring,
  revoke,
  serialiseRing,
  sharesNoKey,
} from '../../lambda/ring/ring.ts'
import { TicketKey } from '../../lambda/ring/ticket-key.ts'
import { seededChance } from '../fakes/chance.ts'

const chance = seededChance('ring')
const making = (parent: string) => ({
  parent,
  now: new Date('2026-11-21T19:00:00.000Z'),
  random: chance.random,
})
const lineage = chance.uuid()
const ring = genesis('edge', lineage, making('v0'))

/** The secret's value with one field bent. */
function bent(change: (fields: Record<string, unknown>) => void): string {
  const fields = JSON.parse(serialiseRing(ring))
  change(fields)
  return JSON.stringify(fields)
}

function codeOf(attempt: () => unknown): string {
  try {
    attempt()
  } catch (error) {
    if (isRefusal(error)) return error.code
    throw error
  }
  return 'accepted'
}

describe('a ring', () => {
  it('begins at generation 1 with three keys that share nothing', () => {
    expect(ring).toMatchObject({ ring: 'edge', lineage, generation: 1, parent: 'v0' })
    expect(new Set(keysOf(ring).map(({ name }) => name)).size).toBe(3)
  })

  it('advances by dropping the oldest key and adding one that never encrypted', () => {
    const next = advance(ring, making('v1'))
    expect(next).toMatchObject({ generation: 2, parent: 'v1', previous: ring.current, current: ring.next })
    expect(keysOf(ring)).not.toContain(next.next)
    expect(ring.generation).toBe(1)
  })

  it('keeps a ticket decryptable for two advances and no longer', () => {
    const once = advance(ring, making('v1'))
    const twice = advance(once, making('v2'))
    expect(keysOf(once)).toContain(ring.current)
    expect(keysOf(twice)).not.toContain(ring.current)
  })

  it('shares no key with the ring that a revoke made of it', () => {
    const revoked = revoke(ring, making('v1'))
    expect(revoked).toMatchObject({ generation: 2, lineage })
    expect(sharesNoKey(revoked, ring)).toBe(true)
    expect(sharesNoKey(advance(ring, making('v1')), ring)).toBe(false)
  })

  it('adopts the keys a fleet already runs on', () => {
    const [previous, current, next] = keysOf(ring)
    const adopted = adopt('edge', lineage, new Date(0), { previous, current, next })
    expect(keysOf(adopted)).toEqual(keysOf(ring))
    expect(parseRing(serialiseRing(adopted), 'edge')).toEqual(adopted)
  })

  it('survives writing and reading whatever its generation, parent and time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 999_999_999_999 }),
        fc.stringMatching(/^[A-Za-z0-9-]{32,64}$/),
        fc.date({ min: new Date(0), max: new Date('9999-01-01'), noInvalidDate: true }),
        (generation, parent, rotatedAt) => {
          const any: Ring = { ...ring, generation, parent, rotatedAt }
          const read = parseRing(serialiseRing(any), 'edge')
          expect(read).toEqual(any)
          expect(read && serialiseRing(read)).toBe(serialiseRing(any))
        },
      ),
    )
  })

  it('is no ring yet where the secret holds exactly {}', () => {
    expect(parseRing('{}', 'edge')).toBeUndefined()
    expect(codeOf(() => parseRing('{ }', 'edge'))).toBe('ring-malformed')
  })
})

describe("the secret's value is refused", () => {
  const key = (bytes: Buffer) => bytes.toString('base64')
  const cases: [string, (fields: Record<string, unknown>) => void, string][] = [
    ['with a missing field', (f) => delete f.next, 'ring-malformed'],
    ['with an extra field', (f) => (f.future = 'x'), 'ring-malformed'],
    ['with a number for a generation', (f) => (f.generation = 7), 'ring-malformed'],
    ['with generation 0', (f) => (f.generation = '0'), 'ring-malformed'],
    ['with generation -1', (f) => (f.generation = '-1'), 'ring-malformed'],
    ['with generation 1.5', (f) => (f.generation = '1.5'), 'ring-malformed'],
    ['with generation 01', (f) => (f.generation = '01'), 'ring-malformed'],
    ['in another schema', (f) => (f.schema = '2'), 'ring-of-another-schema'],
    ['under another name', (f) => (f.ring = 'other'), 'ring-of-another-name'],
    ['with a lineage that is no UUID', (f) => (f.lineage = 'x'), 'ring-malformed'],
    ['with a time that is none', (f) => (f.rotatedAt = 'yesterday'), 'ring-malformed'],
    ['with bad base64', (f) => (f.next = '!!!!'), 'key-weak'],
    ['with base64 that is not canonical', (f) => (f.next = `${f.next}\n`), 'key-weak'],
    ['with a key of 79 bytes', (f) => (f.next = key(Buffer.from(chance.random(79)))), 'key-weak'],
    ['with a key of 81 bytes', (f) => (f.next = key(Buffer.from(chance.random(81)))), 'key-weak'],
    ['with an all-zero key', (f) => (f.next = key(Buffer.alloc(80))), 'key-weak'],
    ['with one field of a key all zero', (f) => (f.next = zeroed(String(f.next))), 'key-weak'],
    ['with two keys of one name', (f) => (f.next = f.current), 'key-repeated'],
    [
      'with two keys that share an AES key',
      (f) => (f.next = crossed(String(f.next), String(f.current))),
      'key-repeated',
    ],
  ]
  const zeroed = (text: string) => key(Buffer.from(text, 'base64').fill(0, 16, 48))
  const crossed = (text: string, other: string) => {
    const bytes = Buffer.from(text, 'base64')
    Buffer.from(other, 'base64').copy(bytes, 16, 16, 48)
    return key(bytes)
  }

  it.each(cases)('%s', (_, change, code) => {
    expect(codeOf(() => parseRing(bent(change), 'edge'))).toBe(code)
  })

  it.each(['', 'null', '[]', '"x"', '{"schema":', 'x'.repeat(99)])('where it is %j', (text) => {
    expect(codeOf(() => parseRing(text, 'edge'))).toBe('ring-malformed')
  })

  it('without a byte of a key in the error', () => {
    for (const [, change] of cases) {
      try {
        parseRing(bent(change), 'edge')
      } catch (error) {
        const said = inspect(error, { depth: 9, showHidden: true })
        for (const each of keysOf(ring)) expect(said).not.toContain(each.serialise().slice(24, 60))
      }
    }
    const cut = serialiseRing(ring).slice(0, -30)
    expect(() => parseRing(cut, 'edge')).toThrow(/characters that are none/)
  })
})

describe('a ticket key', () => {
  it('shows its name and nothing else, however it is printed', () => {
    const secret = ring.current.serialise()
    const hex = Buffer.from(secret, 'base64').toString('hex')
    const shown = [
      String(ring.current),
      `${ring.current}`,
      JSON.stringify(ring),
      inspect(ring, { depth: 9, showHidden: true }),
      inspect(new Map([[ring, ring]]), { depth: 9 }),
    ].join()
    expect(shown).toContain(ring.current.name)
    expect(shown).not.toContain(secret.slice(22, 40))
    expect(shown).not.toContain(hex.slice(40, 60))
    expect(Object.values(ring.current)).not.toContainEqual(expect.any(Uint8Array))
  })

  it('keeps its own copy of the bytes it was made from', () => {
    const bytes = chance.random(80)
    const made = TicketKey.from(bytes)
    const before = made.serialise()
    bytes.fill(0)
    expect(made.serialise()).toBe(before)
  })
})

describe('a layout', () => {
  const { name, aes, hmac } = ring.current.reveal()

  it.each([
    ['haproxy-80', [name, aes, hmac]],
    ['nginx-80', [name, hmac, aes]],
    ['haproxy-48', [name, aes.subarray(0, 16), hmac.subarray(0, 16)]],
    ['nginx-48', [name, aes.subarray(0, 16), hmac.subarray(0, 16)]],
  ] as const)('%s puts the fields in its server’s order', (layout, parts) => {
    expect(toLayout(ring.current, layout)).toEqual(Buffer.concat([...parts]))
  })

  it('trafficserver-48 has keys of its own, which follow from the ring’s and are no part of them', () => {
    const bytes = toLayout(ring.current, 'trafficserver-48')
    const extract = createHmac('sha256', Buffer.alloc(32))
      .update(Buffer.concat([aes, hmac]))
      .digest()
    const expand = createHmac('sha256', extract).update('ticketring trafficserver-48\x01').digest()
    expect(bytes).toEqual(Buffer.concat([name, expand]))
    for (const part of [bytes.subarray(16, 32), bytes.subarray(32)]) {
      expect(Buffer.concat([aes, hmac]).includes(part)).toBe(false)
    }
  })

  it.each(['haproxy-80', 'nginx-80'] as const)('%s reads back what it wrote', (layout) => {
    expect(fromLayout(toLayout(ring.current, layout), layout).serialise()).toBe(ring.current.serialise())
  })

  it('of 48 bytes cannot be adopted', () => {
    expect(codeOf(() => losslessLayout('nginx-48'))).toBe('request-invalid')
    expect(codeOf(() => fromLayout(toLayout(ring.current, 'nginx-48'), 'nginx-80'))).toBe('key-weak')
  })
})

describe('a refusal of a ring', () => {
  const messageOf = (change: (fields: Record<string, unknown>) => void) => {
    try {
      parseRing(bent(change), 'edge')
    } catch (error) {
      return (error as Error).message
    }
    return 'taken'
  }

  it('quotes no more than the beginning of a name or a schema, and key names alone', () => {
    const long = (name: string) => (fields: Record<string, unknown>) => {
      fields[name] = 'x'.repeat(500)
    }
    expect(messageOf(long('ring'))).toContain(`got the ring "${'x'.repeat(64)}". `)
    expect(messageOf(long('schema'))).toContain(`got schema "${'x'.repeat(16)}". `)
    const repeated = messageOf((fields) => {
      fields.next = fields.current
    })
    const names = [ring.previous, ring.current, ring.current].map(({ name }) => name)
    expect(repeated).toContain(`got the key names ${names.join(', ')}`)
  })

  it.each(['', ' v0', 'v0 ', 'v\n0', 'x'.repeat(65)])('is for a parent of %j', (parent) => {
    expect(messageOf((fields) => Object.assign(fields, { parent }))).toMatch(/^ring-malformed/)
    expect(messageOf((fields) => Object.assign(fields, { parent: 'x'.repeat(64) }))).toBe('taken')
  })
})

describe('a layout that loses nothing', () => {
  it('is one of two, and a refusal quotes no more than the beginning of another', () => {
    for (const layout of ['haproxy-80', 'nginx-80'] as const) expect(losslessLayout(layout)).toBe(layout)
    expect(() => losslessLayout('x'.repeat(99))).toThrow(`"${'x'.repeat(32)}"`)
  })

  it('has eighty bytes, not one more', () => {
    for (const layout of ['haproxy-80', 'nginx-80'] as const) {
      const bytes = toLayout(ring.current, layout)
      expect(codeOf(() => fromLayout(Buffer.concat([bytes, Buffer.of(7)]), layout))).toBe('key-weak')
      expect(codeOf(() => fromLayout(bytes.subarray(1), layout))).toBe('key-weak')
    }
  })
})
