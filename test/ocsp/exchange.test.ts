import { assert, property, uint8Array } from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  approachesTo,
  freshUntilOf,
  getUrl,
  kindOfFailure,
  retryAfterOf,
  urlAt,
} from '../../lambda/ocsp/exchange.ts'
import { RULES } from '../../lambda/ocsp/verdict.ts'

const NOW = new Date('2026-11-21T19:00:00Z')
const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)

describe('GET or POST', () => {
  test('the base64 of the request is the last part of the path, with plus, slash and equals encoded', () => {
    expect(getUrl('http://ocsp.example', Buffer.of(0xfb, 0xff, 0xfe, 0x00))).toBe(
      'http://ocsp.example/%2B%2F%2F%2BAA%3D%3D',
    )
    expect(getUrl('http://ocsp.example/ca/', Buffer.of(0x30))).toBe('http://ocsp.example/ca/MA%3D%3D')
  })

  test('up to 255 octets of URL go as GET: once, once past the caches, then POST', () => {
    const url = (length: number) => `http://${'a'.repeat(length - 7 - 1 - 4)}`
    expect(approachesTo(url(255), Buffer.alloc(3)).map(({ method }) => method)).toEqual([
      'GET',
      'GET',
      'POST',
    ])
    expect(approachesTo(url(256), Buffer.alloc(3))).toEqual([{ method: 'POST', url: url(256) }])
    expect(approachesTo('http://ocsp.example', Buffer.alloc(3))).toMatchObject([
      { fresh: false },
      { fresh: true },
      {},
    ])
  })

  test('a responder with a query in its URL is asked by POST', () => {
    expect(getUrl('http://ocsp.example/?ca=1', Buffer.of(0x30))).toBeUndefined()
  })

  test('whatever the request, the URL leads back to it', () => {
    assert(
      property(uint8Array({ maxLength: 120 }), (request) => {
        const url = getUrl('http://ocsp.example', request)
        const last = new URL(url ?? 'http://ocsp.example/').pathname.slice(1)
        if (url !== undefined)
          expect(Buffer.from(decodeURIComponent(last), 'base64')).toEqual(Buffer.from(request))
      }),
    )
  })

  test('each failure leads to the next URL, and round again', () => {
    const urls = ['http://a', 'http://b']
    expect([0, 1, 2, 3].map((failures) => urlAt(urls, failures))).toEqual([
      'http://a',
      'http://b',
      'http://a',
      'http://b',
    ])
    expect(urlAt([], 3)).toBeUndefined()
  })
})

describe('what HTTP says of freshness', () => {
  const life = { thisUpdate: later(-3600), nextUpdate: later(86_400) }
  const until = (headers: Parameters<typeof freshUntilOf>[0]) => freshUntilOf(headers, NOW, life)

  test('max-age less Age counts, before Expires', () => {
    expect(until({ cacheControl: 'public, max-age=7200, no-transform' })).toEqual(later(7200))
    expect(until({ cacheControl: 'max-age=7200', age: '200', expires: later(60).toUTCString() })).toEqual(
      later(7000),
    )
    expect(until({ expires: later(600).toUTCString() })).toEqual(later(600))
    expect(until({ cacheControl: 'public,max-age = "60"' })).toEqual(later(60))
    for (const age of ['some 20', '20 or so'])
      expect(until({ cacheControl: 'max-age=60', age }), age).toEqual(later(60))
  })

  test('what is outside of the signed times, over already, forbidden or unreadable does not count', () => {
    expect(until({ cacheControl: 'max-age=86401' })).toBeUndefined()
    expect(until({ cacheControl: 'max-age=10', age: '20' })).toBeUndefined()
    expect(until({ cacheControl: 'no-store, max-age=60' })).toBeUndefined()
    expect(until({ cacheControl: 'max-age=86400' })).toBeUndefined()
    expect(until({ cacheControl: 'max-age=0' })).toBeUndefined()
    expect(
      freshUntilOf({ cacheControl: 'max-age=60' }, NOW, { ...life, thisUpdate: later(60) }),
    ).toBeUndefined()
    expect(until({ cacheControl: 's-maxage=60' })).toBeUndefined()
    expect(until({ cacheControl: 'max-age-of-all=60' })).toBeUndefined()
    expect(until({ expires: '0' })).toBeUndefined()
    expect(until({})).toBeUndefined()
  })

  test('Retry-After is seconds or a date to come', () => {
    expect(retryAfterOf('120', NOW)).toEqual(later(120))
    expect(retryAfterOf(later(90).toUTCString(), NOW)).toEqual(later(90))
    expect(retryAfterOf('Sunday, 22-Nov-26 08:49:37 GMT', NOW)).toEqual(new Date('2026-11-22T08:49:37Z'))
    expect(retryAfterOf('Sun Nov 22 08:49:37 2026', NOW)).toEqual(new Date('2026-11-22T08:49:37Z'))
    const [past, now, prose] = [later(-90).toUTCString(), NOW.toUTCString(), `at ${later(90).toUTCString()}`]
    for (const header of [undefined, '', 'soon', '-5', past, now, prose, '9'.repeat(20)]) {
      expect(retryAfterOf(header, NOW), String(header)).toBeUndefined()
    }
  })
})

describe('failures that pass are tried again soon, those that last slowly', () => {
  test.each(['internalError', 'tryLater'] as const)('%s passes', (status) => {
    expect(kindOfFailure({ at: 'responder', status })).toBe('transient')
  })
  test.each(['malformedRequest', 'sigRequired', 'unauthorized'] as const)('%s lasts', (status) => {
    expect(kindOfFailure({ at: 'responder', status })).toBe('permanent')
  })
  test('unauthorized and unknown are awaited where the responder may have yet to hear of the certificate', () => {
    expect(kindOfFailure({ at: 'responder', status: 'unauthorized' }, true)).toBe('awaited')
    expect(kindOfFailure({ at: 'rule', rule: 'V15' }, true)).toBe('awaited')
    expect(kindOfFailure({ at: 'responder', status: 'malformedRequest' }, true)).toBe('permanent')
    expect(kindOfFailure({ at: 'rule', rule: 'V8' }, true)).toBe('permanent')
    expect(kindOfFailure({ at: 'http', status: 403 }, true)).toBe('permanent')
    expect(kindOfFailure({ at: 'network', reason: 'reset' }, true)).toBe('transient')
  })
  test('HTTP: 5xx and throttling pass, other errors last', () => {
    const kinds = [500, 503, 429, 408, 400, 403, 404].map((status) => kindOfFailure({ at: 'http', status }))
    expect(kinds).toEqual([
      'transient',
      'transient',
      'transient',
      'transient',
      'permanent',
      'permanent',
      'permanent',
    ])
  })
  test('a network fault passes, a certificate without a URL lasts', () => {
    expect(kindOfFailure({ at: 'network', reason: 'reset' })).toBe('transient')
    expect(kindOfFailure({ at: 'setup', reason: 'no URL' })).toBe('permanent')
  })
  test('of the rules only dates, order and status can mend themselves', () => {
    expect(RULES.filter((rule) => kindOfFailure({ at: 'rule', rule }) === 'transient')).toEqual([
      'V12',
      'V14',
      'V15',
    ])
  })
})
