import { assert, constantFrom, integer, option, property, record, string } from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  CLOSEST,
  type Failures,
  jitter,
  leastLeft,
  mustWithdraw,
  nextRefresh,
  nextRetry,
  objectionToDelivery,
  type Pace,
  USUAL_PACE,
} from '../../lambda/ocsp/schedule.ts'

const START = new Date('2026-11-21T00:00:00Z')
const HOUR = 3600
const DAY = 24 * HOUR
const later = (seconds: number, from = START) => new Date(from.getTime() + seconds * 1000)
const seconds = (time: Date, from = START) => (time.getTime() - from.getTime()) / 1000
const life = (length: number) => ({ thisUpdate: START, end: later(length) })

describe('the next refresh', () => {
  const wait = (length: number, pace: Pace = USUAL_PACE, freshUntil?: Date) =>
    seconds(nextRefresh('a certificate', life(length), START, pace, freshUntil))
  const within = (value: number, from: number) => {
    expect(value).toBeGreaterThanOrEqual(from)
    expect(value).toBeLessThanOrEqual(from * 1.1)
  }

  test('is at half-life, up to a tenth later', () => within(wait(DAY), DAY / 2))
  test('is no later than the owner says', () => within(wait(10 * DAY), DAY))
  test('is earlier where the answer says when a new one is there', () =>
    within(wait(DAY, USUAL_PACE, later(2 * HOUR)), 2 * HOUR))
  test('is not sooner than the owner says', () => within(wait(DAY, USUAL_PACE, later(60)), HOUR))
  test('comes within a short life, whatever the bounds', () => within(wait(600), 400))
  test('is never within a minute', () => expect(wait(30)).toBe(CLOSEST))
  test('is the same each time, and different for each certificate', () => {
    const of = (certificate: string) => nextRefresh(certificate, life(DAY), START).getTime()
    expect(of('one')).toBe(of('one'))
    expect(new Set(Array.from({ length: 100 }, (_, at) => of(`certificate ${at}`))).size).toBe(100)
  })

  test('a thousand certificates of one moment are spread over the whole tenth', () => {
    const tenths = new Map<number, number>()
    for (let at = 0; at < 1000; at++) {
      const tenth = Math.floor(jitter(`certificate ${at}`, 'refresh') * 10)
      tenths.set(tenth, (tenths.get(tenth) ?? 0) + 1)
    }
    expect(tenths.size).toBe(10)
    expect(Math.max(...tenths.values())).toBeLessThan(160)
  })
})

describe('the next try', () => {
  const delay = (failures: Failures, left?: number, certificate = 'a certificate') =>
    seconds(nextRetry(certificate, failures, START, left === undefined ? undefined : later(left)))

  test('after transient failures: one to two minutes twice, then doubling to an hour', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 8, 50].map((count) => delay({ count, kind: 'transient' }))
    const bounds = [
      [60, 120],
      [60, 120],
      [225, 300],
      [450, 600],
      [900, 1200],
      [1800, 2400],
      [2700, 3600],
      [2700, 3600],
      [2700, 3600],
    ]
    for (const [at, [from, to]] of bounds.entries()) {
      expect(delays[at]).toBeGreaterThanOrEqual(from as number)
      expect(delays[at]).toBeLessThanOrEqual(to as number)
    }
  })

  test('the first tries of many certificates are spread over the second minute', () => {
    const delays = Array.from({ length: 50 }, (_, at) =>
      delay({ count: 1, kind: 'transient' }, undefined, `certificate ${at}`),
    )
    expect(Math.min(...delays)).toBeLessThan(75)
    expect(Math.max(...delays)).toBeGreaterThan(105)
  })

  test('while a status is awaited: within ten minutes, however often it was asked for', () => {
    for (const count of [1, 2, 3, 4, 5, 8, 50]) {
      expect(delay({ count, kind: 'awaited' })).toBeGreaterThanOrEqual(CLOSEST)
      expect(delay({ count, kind: 'awaited' })).toBeLessThanOrEqual(600)
    }
  })

  test('after permanent failures: an hour, doubling to six', () => {
    for (const [count, hours] of [
      [1, 1],
      [2, 2],
      [3, 4],
      [4, 6],
      [50, 6],
    ] as const) {
      expect(delay({ count, kind: 'permanent' })).toBeGreaterThanOrEqual(hours * HOUR)
      expect(delay({ count, kind: 'permanent' })).toBeLessThanOrEqual(hours * 1.25 * HOUR)
    }
  })

  test('a life that is over hurries nothing', () => {
    for (const left of [0, -60, -DAY])
      expect(delay({ count: 1, kind: 'permanent' }, left)).toBeGreaterThanOrEqual(HOUR)
  })

  test('tightens to an eighth of what is left, but never below a minute', () => {
    expect(delay({ count: 20, kind: 'transient' }, 4 * HOUR)).toBe(HOUR / 2)
    expect(delay({ count: 20, kind: 'permanent' }, 4 * HOUR)).toBe(HOUR / 2)
    expect(delay({ count: 20, kind: 'transient' }, 120)).toBe(60)
  })

  test('honours Retry-After, but for half of what is left at most', () => {
    const retryAfter = later(2 * HOUR)
    expect(delay({ count: 1, kind: 'transient', retryAfter }, 10 * HOUR)).toBe(2 * HOUR)
    expect(delay({ count: 1, kind: 'transient', retryAfter }, 2 * HOUR)).toBe(HOUR)
    expect(delay({ count: 1, kind: 'transient', retryAfter: later(99 * DAY) })).toBe(DAY)
  })
})

/** A responder that is down save for a while, asked as the schedule says, by a function that runs once a tick. */
interface Outage {
  readonly length: number
  readonly certificate: string
  readonly kind: Failures['kind']
  readonly tick: number
  readonly pace: Pace
  readonly retryAfter: number | null
}

const outages = record<Outage>({
  length: integer({ min: 2 * HOUR, max: 12 * DAY }),
  certificate: string({ maxLength: 20 }),
  kind: constantFrom<Failures['kind'][]>('transient', 'awaited', 'permanent'),
  tick: constantFrom(1, 60, 300),
  pace: record({ least: integer({ min: 60, max: DAY }), most: integer({ min: HOUR, max: 3 * DAY }) }),
  retryAfter: option(integer({ min: 1, max: 3 * DAY })),
})

/** Seconds from the start of the life, from which and until which the responder answers. */
type Window = readonly [from: number, until: number]

/**
 * The longest wait that the schedule may take once so much of the life is left: the window in which it has to ask.
 * @param share of the life at which the responder comes up, though not before it is asked for the first time.
 */
function windowOf({ length, certificate, tick, pace, retryAfter }: Outage, share: number): Window {
  const first = seconds(nextRefresh(certificate, life(length), START, pace))
  const from = Math.max(share * length, first)
  const left = length - from
  const asked = retryAfter === null ? 0 : Math.min(retryAfter, left / 2, DAY)
  return [from, from + Math.max(CLOSEST, left / 8, asked) + tick]
}

const NEVER: Window = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]

function requestsOf(outage: Outage, [from, until]: Window = NEVER) {
  const { length, certificate, kind, tick, pace, retryAfter } = outage
  const { thisUpdate, end } = life(length)
  const tries: Date[] = []
  let due = nextRefresh(certificate, { thisUpdate, end }, START, pace)
  for (let count = 1; due < end; count++) {
    const now = later(Math.ceil(seconds(due) / tick) * tick)
    if (now >= end) break
    tries.push(now)
    if (seconds(now) >= from && seconds(now) <= until) return { tries, refreshed: now }
    const asked = retryAfter === null ? {} : { retryAfter: later(retryAfter, now) }
    due = nextRetry(certificate, { count, kind, ...asked }, now, end)
  }
  return { tries, refreshed: undefined }
}

describe('always', () => {
  test('a response is refreshed if the responder answers once in the second half of its life, for a short while', () => {
    const shares = integer({ min: 50, max: 90 }).map((percent) => percent / 100)
    assert(
      property(outages, shares, (outage, share) => {
        const [from, until] = windowOf(outage, share)
        expect(until).toBeLessThan(outage.length)
        expect(requestsOf(outage, [from, until]).refreshed).toBeDefined()
      }),
      { numRuns: 2000 },
    )
  })

  test('there is never more than one request per certificate and minute', () => {
    assert(
      property(outages, (outage) => {
        const { tries } = requestsOf(outage)
        for (const [at, time] of tries.slice(1).entries()) {
          expect(seconds(time, tries[at])).toBeGreaterThanOrEqual(CLOSEST)
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('a responder that never answers is asked fewer than 300 times in ten days', () => {
    const outage = {
      certificate: 'a',
      kind: 'transient',
      tick: 1,
      pace: USUAL_PACE,
      retryAfter: null,
    } as const
    const { tries } = requestsOf({ ...outage, length: 10 * DAY })
    expect(tries.length).toBeGreaterThan(20)
    expect(tries.length).toBeLessThan(300)
  })
})

describe('as the end nears', () => {
  test('the minimum is an hour, or a tenth of a shorter life', () => {
    expect(leastLeft(life(DAY))).toBe(HOUR)
    expect(leastLeft(life(HOUR))).toBe(360)
  })

  test('nothing is delivered that would end on the way; HAProxy needs 300 s more', () => {
    const objection = (left: number, haproxy: boolean, length = 1800) =>
      objectionToDelivery(life(length), later(length - left), { lag: 60, haproxy })
    expect(objection(200, false)).toBeUndefined()
    expect(objection(170, false)).toBe('170 s are left, 180 s are needed')
    expect(objection(361, true)).toBeUndefined()
    expect(objection(360, true)).toMatch(/360 s are needed/)
    expect(objection(3500, false, DAY)).toMatch(/3600 s are needed/)
  })

  test('a staple is withdrawn early enough to be gone at its end', () => {
    expect(mustWithdraw(life(DAY), later(DAY - 901), 900)).toBe(false)
    expect(mustWithdraw(life(DAY), later(DAY - 900), 900)).toBe(true)
  })
})
