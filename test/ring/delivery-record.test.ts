import { describe, expect, it } from 'vitest'
import {
  type Carried,
  carriedTo,
  type Delivery,
  type DeliveryRecord,
  mergeRecords,
} from '../../lambda/ring/delivery-record.ts'
import { parseRecord, requirePast, serialiseRecord } from '../../lambda/ring/delivery-record-text.ts'
import { delivered, instant, membersOf, START, unheard } from '../fleet/deliveries.ts'

const LINEAGE = '0b2c6f0e-5d5f-4c6a-9f3e-0a1b2c3d4e5f'
const OTHER = 'ffffffff-5d5f-4c6a-9f3e-0a1b2c3d4e5f'

function deliveryOf(generation: number, changes: Partial<Delivery> = {}): Delivery {
  return {
    version: `advance-${generation}`,
    lineage: LINEAGE,
    generation,
    parent: `advance-${generation - 1}`,
    encryptsWith: 'a1'.repeat(16),
    rotatedAt: instant(generation),
    ...delivered(membersOf(3)),
    ...changes,
  }
}

function recordOf(generation: number, carried: Carried = {}, changes: Partial<Delivery> = {}) {
  return { ring: 'edge', delivery: deliveryOf(generation, changes), carried }
}

describe('a record that another function has written meanwhile', () => {
  it('keeps its generation where that is newer and of the same lineage', () => {
    expect(mergeRecords(recordOf(7), recordOf(8)).delivery?.generation).toBe(8)
    expect(mergeRecords(recordOf(7), recordOf(7, {}, { confirmed: 1 })).delivery?.confirmed).toBe(3)
    expect(mergeRecords(recordOf(7), recordOf(8, {}, { lineage: OTHER })).delivery?.generation).toBe(7)
    expect(mergeRecords(recordOf(7), undefined).delivery?.generation).toBe(7)
  })

  it('of another ring is no such record', () => {
    const theirs = { ...recordOf(9, { requests: [{ token: 'a', generation: 9 }] }), ring: 'other' }
    expect(mergeRecords(recordOf(7), theirs)).toEqual(
      recordOf(7, { highest: { lineage: LINEAGE, generation: 7 } }),
    )
  })

  it('is remembered by the highest generation of this lineage', () => {
    const highest = (ours: Carried, theirs: Carried) =>
      mergeRecords(recordOf(7, ours), recordOf(6, theirs)).carried.highest
    const of = (generation: number, lineage = LINEAGE) => ({ highest: { lineage, generation } })
    expect(highest({}, {})).toEqual({ lineage: LINEAGE, generation: 7 })
    expect(highest(of(9), of(8))).toEqual({ lineage: LINEAGE, generation: 9 })
    expect(highest(of(8), of(9))).toEqual({ lineage: LINEAGE, generation: 9 })
    expect(highest(of(9, OTHER), of(8, OTHER))).toEqual({ lineage: LINEAGE, generation: 7 })
  })

  it('loses no caller: the four latest tokens of both stay, each once, ours last', () => {
    const spent = (...tokens: readonly string[]) => ({
      requests: tokens.map((token) => ({ token, generation: 7 })),
    })
    const tokens = (ours: Carried, theirs: Carried) =>
      mergeRecords(recordOf(7, ours), recordOf(7, theirs)).carried.requests?.map(({ token }) => token)
    expect(tokens(spent('c'), spent('a', 'b'))).toEqual(['a', 'b', 'c'])
    expect(tokens(spent('a', 'c'), spent('a', 'b'))).toEqual(['b', 'a', 'c'])
    expect(tokens(spent('d', 'e'), spent('a', 'b', 'c'))).toEqual(['b', 'c', 'd', 'e'])
    expect(tokens({}, spent('a'))).toEqual(['a'])
    expect(tokens(spent('a'), {})).toEqual(['a'])
    expect(mergeRecords(recordOf(7), recordOf(7)).carried).not.toHaveProperty('requests')
  })
})

describe('what outlives a version', () => {
  const carried = { requests: [{ token: 'a', generation: 6 }] }
  const before = { generation: 6, rotatedAt: instant(6) }

  it('tells when the generation before was current', () => {
    expect(carriedTo(deliveryOf(7), recordOf(6, carried))).toEqual({ ...carried, before })
  })

  it.each([
    ['the same one', deliveryOf(6)],
    ['one further on', deliveryOf(8)],
    ['another lineage', deliveryOf(7, { lineage: OTHER })],
  ])('tells nothing of it for %s', (_, delivery) => {
    expect(carriedTo(delivery, recordOf(6, carried))).toBe(carried)
  })

  it('tells nothing of it where nothing was delivered', () => {
    expect(carriedTo(deliveryOf(1), { carried })).toBe(carried)
  })
})

describe('a record', () => {
  it('is read as it was written', () => {
    const full: Carried = {
      baseline: { members: 3, at: START, fewerSince: instant(1) },
      pending: { version: 'theirs', since: START },
      asked: { version: 'advance-7', since: START },
      highest: { lineage: LINEAGE, generation: 999_999_999 },
      before: { generation: 6, rotatedAt: START },
      requests: [{ token: 'a', generation: 6 }],
    }
    for (const record of [
      recordOf(7, full, { announced: 7200 }),
      recordOf(7),
      { ring: 'edge', carried: full },
    ])
      expect(parseRecord(serialiseRecord(record))).toEqual(record)
  })

  it.each([
    ['a key that is no 32 hex digits', { encryptsWith: `${'a1'.repeat(16)}0` }],
    ['a key with something before it', { encryptsWith: `x${'a1'.repeat(16)}` }],
    ['a key with something behind it', { encryptsWith: `${'a1'.repeat(16)}x` }],
    ['a generation that no ring may have', { generation: 1_000_000_000 }],
    ['generation 0', { generation: 0 }],
    ['a lifetime of nothing', { announced: 0 }],
  ])('is refused with %s', (_, changes) => {
    const text = JSON.stringify({ v: 1, ...recordOf(7, {}, changes) })
    expect(() => parseRecord(text)).toThrow(expect.objectContaining({ code: 'record-malformed' }))
  })

  it('is refused from 3,001 bytes on, without what may be left out of it', () => {
    const sized = (record: DeliveryRecord) => {
      const { holders: _, ...delivery } = record.delivery ?? deliveryOf(7)
      const bare = JSON.stringify({
        ring: record.ring,
        carried: record.carried,
        delivery: { ...delivery, stragglers: [] },
      })
      return (bytes: number) =>
        parseRecord(JSON.stringify({ v: 1, ...record, ring: 'r'.repeat(bytes - bare.length + 4) }))
    }
    const record = recordOf(7, {}, { stragglers: membersOf(9).map(({ id }) => unheard(id)) })
    expect(sized(record)(3000).ring).toMatch(/^r+$/)
    expect(() => sized(record)(3001)).toThrow('less text than a parameter holds')
    const roomy = recordOf(
      7,
      {},
      {
        holders: 'A'.repeat(3000),
        reading: { command: 'c', next: 'n'.repeat(3000) },
        releases: [{ server: 'haproxy', version: '3'.repeat(3000), machines: 1 }],
      },
    )
    expect(parseRecord(JSON.stringify({ v: 1, ...roomy }))).toEqual(roomy)
    expect(parseRecord(JSON.stringify({ v: 1, ring: 'r'.repeat(2900), carried: {} })).ring).toHaveLength(2900)
    expect(() => parseRecord(JSON.stringify({ v: 1, ring: 'r'.repeat(3000), carried: {} }))).toThrow()
  })
})

describe('a record that is dated ahead', () => {
  const now = instant(1000)
  const dated = (changes: Partial<Delivery>, carried: Carried = {}) =>
    requirePast(recordOf(7, carried, changes), now)

  it('by five minutes at most is one of another clock', () => {
    expect(() => dated({ judgedAt: instant(1300), nextAt: instant(1000 + 8 * 3600) })).not.toThrow()
    expect(() => requirePast({ ring: 'edge', carried: {} }, now)).not.toThrow()
  })

  it.each<[string, Partial<Delivery>, Carried]>([
    ['its ring', { rotatedAt: instant(1300.001) }, {}],
    ['its judgement', { judgedAt: instant(1300.001) }, {}],
    ['a command', { commands: [{ id: 'c', sentAt: instant(1300.001), judged: true }] }, {}],
    ['what is carried', {}, { pending: { version: 'x', since: instant(1300.001) } }],
    ['the next delivery, by more than eight hours', { nextAt: instant(1000.001 + 8 * 3600) }, {}],
  ])('further is refused, be it %s', (_, changes, carried) => {
    expect(() => dated(changes, carried)).toThrow(
      expect.objectContaining({
        code: 'record-malformed',
        wanted: `a delivery record with no time after ${now.toISOString()}`,
      }),
    )
  })
})
