import { describe, expect, it } from 'vitest'
import { REMEDIES } from '../../lambda/kernel/remedies.ts'
import type { StapleEntry, StoredResponse } from '../../lambda/staples/entry.ts'
import { lifeLeftOf, measureStaples, reportOn } from '../../lambda/staples/report.ts'
import { settingOf } from '../fakes/staple-world.ts'

const at = (hour: number) => new Date(Date.UTC(2026, 10, 21, hour))
const RESPONSE: StoredResponse = {
  der: Buffer.of(1),
  status: 'good',
  thisUpdate: at(0),
  end: at(10),
  fetchedAt: at(1),
  source: 'http://ocsp.example/',
  haproxy: null,
}
const entryOf = (changes: Partial<StapleEntry> = {}): StapleEntry => ({
  name: 'www',
  id: 'a'.repeat(32),
  state: 'staple',
  mustStaple: false,
  response: RESPONSE,
  failures: 0,
  ...changes,
})
const revoked: StoredResponse = { ...RESPONSE, status: 'revoked' }
const { response: _, ...none } = entryOf({ state: 'none' })
const certificate = (entry: StapleEntry, urls: readonly string[] = ['http://ocsp.example/']) => {
  const { mustStaple } = entry
  return { setting: settingOf('www'), urls, notAfter: at(999), mustStaple, entry }
}

describe('the report on a certificate', () => {
  const report = (entry: StapleEntry, urls?: readonly string[]) =>
    reportOn(certificate(entry, urls), 'why', at(4))

  it('says all of its response, in seconds and in percent of its life', () => {
    expect(report(entryOf({ nextTry: at(5) }))).toStrictEqual({
      name: 'www',
      id: 'a'.repeat(32),
      state: 'staple',
      mustStaple: false,
      reason: 'why',
      status: 'good',
      end: at(10).toISOString(),
      lifeLeft: 6 * 3600,
      lifeLeftSeconds: 6 * 3600,
      lifeLeftPercent: 60,
      thisUpdate: at(0).toISOString(),
      fetchedAt: at(1).toISOString(),
      source: 'http://ocsp.example/',
      nextTry: at(5).toISOString(),
      failures: 0,
    })
  })

  it('without a response names nothing of one', () => {
    expect(report(none)).toStrictEqual({
      name: 'www',
      id: 'a'.repeat(32),
      state: 'none',
      mustStaple: false,
      reason: 'why',
      failures: 0,
    })
  })

  it('calls a certificate one without a responder only where it has neither responder nor response', () => {
    expect(report(none, []).state).toBe('no-responder')
    expect(report(none).state).toBe('none')
    expect(report(entryOf(), []).state).toBe('staple')
  })

  it('says why HAProxy would not take the response', () => {
    expect(report(entryOf({ response: { ...RESPONSE, haproxy: 'SHA-256' } })).haproxy).toBe('SHA-256')
  })

  it('says of the last failure what to do about it, of one of another release where that is written', () => {
    const lastFailure = { at: at(3), code: 'responder-timeout', detail: 'slow' } as const
    expect(report(entryOf({ failures: 1, lastFailure })).lastFailure).toStrictEqual({
      ...lastFailure,
      at: at(3).toISOString(),
      fix: REMEDIES['responder-timeout'],
    })
    const gone = { ...lastFailure, code: 'of-another-release' as 'responder-timeout' }
    expect(report(entryOf({ lastFailure: gone })).lastFailure?.fix).toContain('docs/errors.md')
  })

  it('counts no life below nothing, nor above the whole', () => {
    expect(reportOn(certificate(entryOf()), 'why', at(11))).toMatchObject({ lifeLeft: 0, lifeLeftPercent: 0 })
    expect(lifeLeftOf(entryOf(), at(-1))).toBe(100)
    expect(lifeLeftOf(entryOf({ response: { ...RESPONSE, end: at(0) } }), at(-1))).toBe(0)
    expect(lifeLeftOf(none, at(1))).toBeUndefined()
  })

  it('rounds the share of a life down to tenths, so that what ends never looks whole', () => {
    expect(lifeLeftOf(entryOf(), new Date(at(0).getTime() + 1))).toBe(99.9)
  })
})

describe('what a set is measured by', () => {
  const NONE = { now: at(4), lost: 0, undelivered: 0, held: false }
  const measure = (entries: readonly StapleEntry[], urls?: readonly string[]) =>
    measureStaples(
      entries.map((entry) => certificate(entry, urls)),
      NONE,
    )

  it('is whole where there is nothing to staple', () => {
    expect(measure([])).toStrictEqual({
      StapleLifeLeft: 100,
      StapleFailures: 0,
      StaplesRevoked: 0,
      StaplesUndelivered: 0,
      StaplesWithdrawn: 0,
      MustStaplesMissing: 0,
      WithdrawalHeld: 0,
    })
  })

  it('says what it is told of machines, unreadable certificates and the guard', () => {
    const told = measureStaples([], { now: at(4), lost: 2, undelivered: 3, held: true })
    expect(told).toMatchObject({ StapleFailures: 2, StaplesUndelivered: 3, WithdrawalHeld: 1 })
  })

  it.each<[string, StapleEntry, number]>([
    ['a staple: what is left of it', entryOf(), 60],
    ['a staple of a revoked certificate, too', entryOf({ response: revoked }), 60],
    ['none yet: nothing', none, 0],
    ['one withdrawn at its end: nothing', entryOf({ state: 'withdrawn' }), 0],
    ['one withdrawn by hand: it is not missed', entryOf({ state: 'withdrawn', byHand: true }), 100],
    ['one withheld for it is revoked: nor is that', entryOf({ state: 'withdrawn', response: revoked }), 100],
  ])('life left, of %s', (_, entry, percent) => {
    expect(measure([entry]).StapleLifeLeft).toBe(percent)
    expect(measure([entry, entryOf({ response: { ...RESPONSE, end: at(40) } })]).StapleLifeLeft).toBe(
      Math.min(percent, 90),
    )
  })

  it('life left counts no certificate without a responder, unless it has a staple', () => {
    expect(measure([none], []).StapleLifeLeft).toBe(100)
    expect(measure([entryOf()], []).StapleLifeLeft).toBe(60)
  })

  it('counts failing and revoked certificates once each', () => {
    const entries = [entryOf({ failures: 3 }), entryOf(), entryOf({ failures: 1, response: revoked })]
    expect(measure(entries)).toMatchObject({ StapleFailures: 2, StaplesRevoked: 1 })
  })

  it('counts as withdrawn what went at its end alone', () => {
    const gone = entryOf({ state: 'withdrawn' })
    const others = [entryOf(), none, { ...gone, byHand: true as const }, { ...gone, response: revoked }]
    expect(measure([gone, ...others]).StaplesWithdrawn).toBe(1)
    expect(measure([gone], []).StaplesWithdrawn).toBe(1)
    expect(measure(others).StaplesWithdrawn).toBe(0)
  })

  it('counts must-staple certificates whose clients get no staple, for whatever reason', () => {
    const must = { mustStaple: true }
    const missing = [entryOf({ ...must, state: 'withdrawn', byHand: true }), { ...none, ...must }]
    expect(measure([...missing, entryOf(must), entryOf(), none]).MustStaplesMissing).toBe(2)
  })
})
