import { describe, expect, it } from 'vitest'
import type { StapleEntry, StoredResponse } from '../../lambda/staples/entry.ts'
import {
  initialEntry,
  saysMore,
  supersedes,
  withdrawn,
  withFailure,
  withResponse,
} from '../../lambda/staples/entry-change.ts'
import { STAPLE_TIMING, settingOf } from '../fakes/staple-world.ts'

const at = (hour: number) => new Date(Date.UTC(2026, 10, 21, hour))
const response = (changes: Partial<StoredResponse> = {}): StoredResponse => ({
  der: Buffer.of(1),
  status: 'good',
  thisUpdate: at(2),
  end: at(10),
  fetchedAt: at(3),
  source: 'http://ocsp.example/',
  haproxy: null,
  ...changes,
})
const HELD = response()

describe('a response says more than the one held', () => {
  it.each([
    ['a later thisUpdate', { thisUpdate: at(3) }, true],
    ['a later thisUpdate, though it ends sooner', { thisUpdate: at(3), end: at(9) }, true],
    ['an earlier thisUpdate, though it ends later', { thisUpdate: at(1), end: at(20) }, false],
    ['an earlier thisUpdate, though revoked', { thisUpdate: at(1), status: 'revoked' }, false],
    ['the same thisUpdate, revoked', { status: 'revoked' }, true],
    ['the same thisUpdate, and a later end', { end: at(11) }, true],
    ['the same thisUpdate, and an earlier end', { end: at(9) }, false],
    ['the same', {}, false],
  ] as const)('by %s: %s', (_, changes, says) => {
    expect(saysMore(response(changes), HELD)).toBe(says)
  })

  it('never by good after revoked of one thisUpdate, however late it ends', () => {
    const revoked = response({ status: 'revoked' })
    expect(saysMore(response({ end: at(20) }), revoked)).toBe(false)
    const entry = { ...initialEntry({ name: 'www', id: 'x', mustStaple: false }), response: revoked }
    const pace = { least: STAPLE_TIMING.least, most: STAPLE_TIMING.most }
    expect(withResponse(entry, response({ end: at(20) }), settingOf('www'), pace).response).toBe(revoked)
  })

  it('where none is held', () => {
    expect(saysMore(HELD, undefined)).toBe(true)
  })
})

describe('of two writers the first has to be put back', () => {
  const entry = (changes: Partial<StapleEntry> = {}): StapleEntry => ({
    ...initialEntry({ name: 'www', id: 'x', mustStaple: false }),
    ...changes,
  })

  it.each([
    [
      'where it holds a newer response',
      entry({ response: HELD }),
      entry({ response: response({ thisUpdate: at(1) }) }),
      true,
    ],
    ['where the other holds none', entry({ response: HELD }), entry(), true],
    [
      'not where the other holds the newer one',
      entry({ response: HELD }),
      entry({ response: response({ thisUpdate: at(3) }) }),
      false,
    ],
    ['not where neither holds one', entry(), entry(), false],
    ['where an operator withdrew it', withdrawn(entry(), 'x', true), entry({ response: HELD }), true],
    [
      'not where both were withdrawn by hand',
      withdrawn(entry(), 'x', true),
      withdrawn(entry(), 'x', true),
      false,
    ],
  ])('%s', (_, first, second, isPutBack) => {
    expect(supersedes(first, second)).toBe(isPutBack)
  })
})

describe('an entry', () => {
  const PACE = { least: STAPLE_TIMING.least, most: STAPLE_TIMING.most }
  const fresh = initialEntry({ name: 'www', id: 'a'.repeat(32), mustStaple: true })
  const stapled = withResponse(fresh, HELD, settingOf('www'), PACE)
  const failure = { code: 'responder-timeout', detail: 'slow', kind: 'permanent', remedy: 'none' } as const

  it('after a sound response has its staple, and remembers no failure', () => {
    const failed = withFailure(fresh, failure, at(2))
    expect(withResponse(failed, HELD, settingOf('www'), PACE)).toStrictEqual({
      ...fresh,
      state: 'staple',
      response: HELD,
      nextTry: expect.any(Date),
      failures: 0,
    })
  })

  it('of a revoked certificate says that the owner withholds the staple, where that is so', () => {
    const revoked = response({ status: 'revoked' })
    const withheld = withResponse(fresh, revoked, settingOf('www', { revoked: 'withhold' }), PACE)
    expect(withheld).toMatchObject({
      state: 'withdrawn',
      reason: expect.stringMatching(/^revoked: the owner/),
    })
    expect(withResponse(fresh, revoked, settingOf('www'), PACE)).toMatchObject({ state: 'staple' })
    expect(withResponse(fresh, HELD, settingOf('www', { revoked: 'withhold' }), PACE)).not.toHaveProperty(
      'reason',
    )
  })

  it('after a failure keeps what it holds, counts, and names the rule where one refused', () => {
    const once = withFailure(stapled, failure, at(9))
    expect(once).toStrictEqual({
      ...stapled,
      failures: 1,
      nextTry: expect.any(Date),
      lastFailure: { at: at(9), code: 'responder-timeout', detail: 'slow' },
    })
    const twice = withFailure(once, { ...failure, code: 'response-older', rule: 'V14' }, at(9))
    expect(twice).toMatchObject({ failures: 2, lastFailure: { code: 'response-older', rule: 'V14' } })
  })

  it('is tried again the sooner the nearer the end of its staple, and not for one that is gone', () => {
    const wait = (entry: StapleEntry) =>
      ((withFailure(entry, failure, at(9)).nextTry?.getTime() ?? 0) - at(9).getTime()) / 1000
    // An hour is left: an eighth of it.
    expect(wait(stapled)).toBe(450)
    expect(wait(withdrawn(stapled, 'at its end', false))).toBeGreaterThanOrEqual(3600)
  })

  it('is tried again when the responder wants that', () => {
    const entry = withFailure(fresh, { ...failure, kind: 'transient', retryAfter: at(12) }, at(9))
    expect(entry.nextTry).toEqual(at(12))
  })
})
