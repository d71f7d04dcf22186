import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Candidate,
  decideStaple,
  isAwaited,
  isMassWithdrawal,
  isWorthwhile,
  leadOf,
  type Moment,
  nearestEndFirst,
} from '../../lambda/staples/decision.ts'
import type { StapleEntry } from '../../lambda/staples/entry.ts'
import { initialEntry, withdrawn, withFailure, withResponse } from '../../lambda/staples/entry-change.ts'
import { STAPLE_TIMING, settingOf } from '../fakes/staple-world.ts'

const START = Date.UTC(2026, 10, 21)
const DAY = 86_400
const at = (seconds: number) => new Date(START + seconds * 1000)
const setting = settingOf('www')
const URL = 'http://ocsp.example/'
const pace = { least: STAPLE_TIMING.least, most: STAPLE_TIMING.most }

interface Run {
  readonly asked: readonly number[]
  readonly entries: readonly StapleEntry[]
  /** Seconds at which a tick found a response past its end still stapled. */
  readonly late: readonly number[]
}

/**
 * Ticks for as long as this, over a responder that is up or not.
 * @param life seconds that a response lives; a new one is signed at each tenth of that.
 */
function simulate(id: string, life: number, seconds: number, isUp: (time: number) => boolean): Run {
  let entry = initialEntry({ name: 'www', id, mustStaple: false })
  const asked: number[] = []
  const entries: StapleEntry[] = []
  const late: number[] = []
  for (let time = 0; time <= seconds; time += STAPLE_TIMING.tick) {
    const now = at(time)
    if (entry.state === 'staple' && entry.response !== undefined && entry.response.end <= now) late.push(time)
    const candidate = { setting, urls: [URL], notAfter: at(1e9), mustStaple: false }
    const moment = { now, timing: STAPLE_TIMING }
    if (decideStaple({ ...candidate, entry }, { ...moment, asking: 'due' }).action === 'fetch') {
      asked.push(time)
      entry = isUp(time) ? succeed(entry, life, time) : fail(entry, now)
    }
    const after = decideStaple({ ...candidate, entry }, { ...moment, asking: 'over' })
    if (after.action === 'withdraw') entry = withdrawn(entry, after.reason, false)
    entries.push(entry)
  }
  return { asked, entries, late }
}

function succeed(entry: StapleEntry, life: number, time: number): StapleEntry {
  const signed = Math.floor(time / (life / 10)) * (life / 10)
  const dates = { thisUpdate: at(signed), end: at(signed + life), fetchedAt: at(time) }
  const response = { der: Buffer.of(1), status: 'good', haproxy: null, source: 'x', ...dates } as const
  return withResponse(entry, response, setting, pace)
}

function fail(entry: StapleEntry, now: Date): StapleEntry {
  return withFailure(
    entry,
    { code: 'responder-timeout', detail: 'x', kind: 'transient', remedy: 'none' },
    now,
  )
}

const ids = fc.stringMatching(/^[0-9a-f]{32}$/)
const lives = fc.integer({ min: DAY / 2, max: 14 * DAY })

describe('the schedule, tick by tick', () => {
  it('always refreshes a response before its end while the responder answers', () => {
    fc.assert(
      fc.property(ids, lives, (id, life) => {
        const { entries, late } = simulate(id, life, 3 * life, () => true)
        expect(late).toEqual([])
        expect(entries.every(({ state }) => state === 'staple')).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('finds a responder that comes back for an eighth of what is left, before the staple has to go', () => {
    fc.assert(
      fc.property(ids, lives, fc.double({ min: 0.55, max: 0.8, noNaN: true }), (id, life, back) => {
        const from = life * back
        const until = from + (life - from) / 8 + STAPLE_TIMING.tick
        const up = (time: number) => time < 1 || (time >= from && time <= until)
        const { entries } = simulate(id, life, 1.3 * life, up)
        expect(entries.every(({ state }) => state === 'staple')).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('never asks twice in a minute, never staples past the end, and withdraws what is not renewed', () => {
    fc.assert(
      fc.property(ids, lives, fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }), (id, life, ups) => {
        const up = (time: number) => ups[Math.floor(time / 7000) % ups.length] === true
        const { asked, late } = simulate(id, life, 2 * life, up)
        expect(late).toEqual([])
        asked.slice(1).forEach((time, index) => {
          expect(time - (asked[index] ?? 0)).toBeGreaterThanOrEqual(60)
        })
        const dead = simulate(id, life, 2 * life, (time) => time < 1)
        expect(dead.late).toEqual([])
        expect(dead.entries.at(-1)?.state).toBe('withdrawn')
      }),
      { numRuns: 60 },
    )
  })

  it('leaves time for the machines to hear of a withdrawal', () => {
    const { entries } = simulate('0'.repeat(32), 4 * DAY, 5 * DAY, (time) => time < 1)
    const gone = entries.findIndex(({ state }) => state === 'withdrawn') * STAPLE_TIMING.tick
    expect(gone).toBeLessThanOrEqual(4 * DAY - STAPLE_TIMING.delivery - STAPLE_TIMING.execution)
    expect(gone).toBeGreaterThan(4 * DAY - leadOf(STAPLE_TIMING) - 2 * STAPLE_TIMING.tick)
  })
})

describe('a staple at its end', () => {
  const held = succeed(initialEntry({ name: 'www', id: 'a'.repeat(32), mustStaple: false }), 4 * DAY, 0)
  const late = 4 * DAY - 600
  const decideAt = (entry: StapleEntry, time: number, asking: Moment['asking'] = 'due', urls = [URL]) =>
    decideStaple(
      { setting, urls, notAfter: at(1e9), mustStaple: false, entry },
      { now: at(time), timing: STAPLE_TIMING, asking },
    ).action

  it('goes only once its responder has had a last chance, whatever it said of when to come back', () => {
    const patient = { ...held, nextTry: at(9 * DAY) }
    expect(decideAt(patient, late - 3600)).toBe('keep')
    expect(decideAt(patient, late)).toBe('fetch')
    expect(decideAt(patient, late, 'over')).toBe('withdraw')
    const refused = { ...fail(patient, at(late)), nextTry: at(9 * DAY) }
    expect(decideAt(refused, late + 30)).toBe('withdraw')
    expect(decideAt(refused, late + 59.999)).toBe('withdraw')
    expect(decideAt(refused, late + 60)).toBe('fetch')
  })

  it('goes without asking where the certificate names no responder any more', () => {
    expect(decideAt(held, late, 'due', [])).toBe('withdraw')
    expect(decideAt(held, DAY, 'due', [])).toBe('keep')
  })
})

describe('a mass withdrawal', () => {
  it.each([
    [1, 1, false],
    [5, 1, false],
    [2, 2, true],
    [10, 2, false],
    [10, 3, true],
    [9, 2, true],
    [1000, 200, false],
    [1000, 201, true],
  ])('of %i staples, %i leaving: %s', (held, leaving, is) => {
    expect(isMassWithdrawal(held, leaving)).toBe(is)
  })
})

describe('where time or life is short', () => {
  const held = (hours: number | undefined, state: StapleEntry['state'] = 'staple'): StapleEntry => ({
    ...initialEntry({ name: 'www', id: 'x', mustStaple: false }),
    state,
    ...(hours === undefined
      ? {}
      : {
          response: {
            der: Buffer.of(1),
            status: 'good',
            haproxy: null,
            source: 'x',
            thisUpdate: at(0),
            fetchedAt: at(0),
            end: at(hours * 3600),
          },
        }),
  })
  const worthwhile = (seconds: number, entry: StapleEntry) =>
    isWorthwhile(at(seconds), entry, at(0), STAPLE_TIMING)

  it('those are asked about first that have no staple, then whose staple ends soonest', () => {
    const [late, soon, none, withdrawnLate] = [
      held(9),
      held(2),
      held(undefined, 'none'),
      held(99, 'withdrawn'),
    ]
    const sorted = nearestEndFirst([late, soon, none, withdrawnLate].map((entry) => ({ entry })))
    expect(sorted.map(({ entry }) => entry)).toEqual([none, withdrawnLate, soon, late])
  })

  it('a response that ends soon counts if every machine gets it in time', () => {
    expect(worthwhile(leadOf(STAPLE_TIMING), held(undefined, 'none'))).toBe(false)
    expect(worthwhile(leadOf(STAPLE_TIMING) + 1, held(undefined, 'none'))).toBe(true)
  })

  it('and if it outlives what they hold', () => {
    expect(worthwhile(4 * 3600, held(5))).toBe(false)
    expect(worthwhile(4 * 3600, held(4))).toBe(false)
    expect(worthwhile(4 * 3600, held(3))).toBe(true)
    expect(worthwhile(4 * 3600, held(5, 'withdrawn'))).toBe(true)
  })
})

describe('what is done about a certificate', () => {
  const held = succeed(initialEntry({ name: 'www', id: 'a'.repeat(32), mustStaple: false }), 4 * DAY, 0)
  const fresh = initialEntry({ name: 'www', id: 'a'.repeat(32), mustStaple: false })
  const decide = (
    entry: StapleEntry | undefined,
    time: number,
    changes: Partial<Candidate & Moment> = {},
  ) => {
    const candidate = { setting, urls: [URL], notAfter: at(1e9), mustStaple: false, ...(entry && { entry }) }
    const moment = { now: at(time), timing: STAPLE_TIMING, asking: 'due' as const }
    return decideStaple({ ...candidate, ...changes }, { ...moment, ...changes })
  }

  it('that an operator withdrew: nothing, whatever is due, unless an operator asks for it', () => {
    const byHand = withdrawn(held, 'by hand', true)
    for (const time of [0, 2 * DAY, 9 * DAY]) expect(decide(byHand, time).action).toBe('keep')
    expect(decide(byHand, 9 * DAY, { notAfter: at(1) }).reason).toContain('withdrawn by hand')
    expect(decide(byHand, 1, { asking: 'forced' })).toMatchObject({
      action: 'fetch',
      reason: 'asked for by hand',
    })
    expect(decide(withdrawn(held, 'at its end', false), 9 * DAY).action).toBe('fetch')
  })

  it('from its own end on: its staple goes, and it is asked about no more', () => {
    const notAfter = at(3600)
    expect(decide(held, 3599, { notAfter }).action).toBe('keep')
    expect(decide(held, 3600, { notAfter }).action).toBe('withdraw')
    expect(decide(withdrawn(held, 'at its end', false), 3600, { notAfter }).action).toBe('none')
    expect(decide(undefined, 3600, { notAfter, asking: 'forced' })).toEqual({
      action: 'none',
      reason: `the certificate expired at ${notAfter.toISOString()}`,
    })
  })

  it('that is due from a time on: it is asked about at that very time', () => {
    const due = { ...held, nextTry: at(7200) }
    expect(decide(due, 7199.999).action).toBe('keep')
    expect(decide(due, 7200)).toEqual({ action: 'fetch', reason: `due since ${at(7200).toISOString()}` })
    expect(decide(fresh, 0).reason).toBe('never asked for before')
    expect(decide(due, 1, { asking: 'forced' }).action).toBe('fetch')
    expect(decide(due, 7200, { asking: 'over' }).action).toBe('keep')
  })

  it.each([
    [false, 'withdraw', 'withdraw'],
    [false, 'keep-until-end', 'withdraw'],
    [true, 'withdraw', 'withdraw'],
    [true, 'keep-until-end', 'keep'],
  ] as const)(
    'whose staple ends before the next delivery, must-staple %s, set to %s: %s',
    (mustStaple, choice, action) => {
      const [end, asking] = [4 * DAY, 'over' as const]
      const changes = { mustStaple, asking, setting: settingOf('www', { mustStaple: choice }) }
      // By the last run but one, a delivery away from its end.
      expect(decide(held, end - STAPLE_TIMING.tick - 60, changes).action).toBe(action)
      expect(decide(held, end - STAPLE_TIMING.tick, changes).action).toBe('withdraw')
    },
  )

  it('that is withdrawn: the reason says whose end it is, and why nothing newer came', () => {
    const over = { asking: 'over' } as const
    const end = `the response ends at ${at(4 * DAY).toISOString()}`
    expect(decide(held, 4 * DAY, over).reason).toBe(end)
    expect(decide(fail(held, at(4 * DAY)), 4 * DAY, over).reason).toBe(`${end}: responder-timeout`)
    expect(decide(held, 4 * DAY, { ...over, mustStaple: true }).reason).toBe(
      `a must-staple certificate; ${end}`,
    )
  })

  it('that needs nothing now: the reason says what it waits for', () => {
    const over = { asking: 'over' } as const
    expect(decide(held, 1).reason).toBe(`good until ${at(4 * DAY).toISOString()}`)
    expect(decide(fresh, 1, { urls: [] }).reason).toContain('names no OCSP responder')
    expect(decide(fresh, 1, over).reason).toBe('no response yet')
    const later = { ...fresh, nextTry: at(60) }
    expect(decide(later, 1).reason).toBe(`no response yet, next try at ${at(60).toISOString()}`)
    const gone = { ...withdrawn(fresh, 'at its end', false), nextTry: at(60) }
    expect(decide(gone, 1)).toEqual({
      action: 'none',
      reason: `at its end, next try at ${at(60).toISOString()}`,
    })
  })

  it('a decision reaches the machines after the wait for the next run and a whole delivery', () => {
    expect(leadOf({ ...STAPLE_TIMING, tick: 900, delivery: 120, execution: 60 })).toBe(1080)
  })

  it('its responder may have yet to hear of it in its first day, and while it never had a response', () => {
    expect(isAwaited(at(0), held, at(DAY - 1))).toBe(true)
    expect(isAwaited(at(0), held, at(DAY))).toBe(false)
    expect(isAwaited(at(0), fresh, at(99 * DAY))).toBe(true)
  })
})
