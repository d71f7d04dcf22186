import { describe, expect, it } from 'vitest'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { approachesTo } from '../../lambda/ocsp/exchange.ts'
import type { Rule, Verdict } from '../../lambda/ocsp/verdict.ts'
import {
  failureOfAnswer,
  failureOfHttp,
  failureOnTheWay,
  mostHopeful,
  mostTelling,
  nextApproach,
  type TryFailure,
} from '../../lambda/staples/failure.ts'
import { failureOfIssuers } from '../../lambda/staples/issuer-failure.ts'

const NOW = new Date('2026-11-21T00:00:00.000Z')

const failure = (kind: TryFailure['kind'], detail: string): TryFailure => ({
  code: 'responder-timeout',
  detail,
  kind,
  remedy: 'none',
})

it('of several responders that fail, one that asking soon may mend is acted on', () => {
  const [rejected, down, unheard] = [
    failure('permanent', 'rejected'),
    failure('transient', 'down'),
    failure('awaited', 'unheard'),
  ]
  expect(mostHopeful([rejected, down])).toBe(down)
  expect(mostHopeful([rejected, unheard, down])).toBe(unheard)
  expect(mostHopeful([rejected, failure('permanent', 'too')])).toBe(rejected)
  expect(mostHopeful([])).toBeUndefined()
})

describe('an answer that is refused', () => {
  const exchanged = (changes: object = {}) => ({
    status: 200,
    contentType: 'application/ocsp-response',
    length: 1,
    retryAfter: undefined,
    ...changes,
  })
  const refusedBy = (rule: Rule, changes: Partial<Verdict> = {}): Verdict => ({
    verdict: 'refused',
    outcomes: [
      { rule: 'V1', ok: rule !== 'V1', detail: 'of V1' },
      { rule, ok: false, detail: `of ${rule}` },
    ],
    warnings: [],
    singles: 1,
    ...changes,
  })

  it.each<[Rule, TryFailure['kind'], TryFailure['remedy']]>([
    ['V1', 'permanent', 'post'],
    ['V2', 'permanent', 'post'],
    ['V3', 'permanent', 'post'],
    ['V4', 'permanent', 'none'],
    ['V8', 'permanent', 'none'],
    ['V12', 'transient', 'fresh'],
    ['V14', 'transient', 'fresh'],
    ['V15', 'transient', 'none'],
    ['V16', 'permanent', 'none'],
  ])('by %s is %s, and asked about again: %s', (rule, kind, remedy) => {
    expect(failureOfAnswer(exchanged(), refusedBy(rule), NOW, false)).toMatchObject({
      rule,
      detail: `of ${rule}`,
      kind,
      remedy,
    })
  })

  it('is none where it is a status that counts, whatever a rule notes', () => {
    for (const verdict of ['good', 'revoked'] as const)
      expect(failureOfAnswer(exchanged(), refusedBy('V4', { verdict }), NOW, false)).toBeUndefined()
  })

  it.each([
    ['tryLater', 'transient', 'post'],
    ['internalError', 'transient', 'post'],
    ['malformedRequest', 'permanent', 'post'],
    ['sigRequired', 'permanent', 'none'],
    ['unauthorized', 'permanent', 'post'],
  ] as const)(
    'by the responder with %s is %s, and asked about again: %s',
    (responderStatus, kind, remedy) => {
      const verdict = refusedBy('V3', { responderStatus })
      const failure = failureOfAnswer(exchanged(), verdict, NOW, false)
      expect(failure).toMatchObject({ kind, remedy, code: expect.stringMatching(/^responder-/) })
      expect(failure).not.toHaveProperty('retryAfter')
      const later = failureOfAnswer(exchanged({ retryAfter: '60' }), verdict, NOW, false)
      expect(later).toMatchObject({ remedy: 'none', retryAfter: new Date(NOW.getTime() + 60_000) })
    },
  )

  it('by a rule before the status counts by that rule', () => {
    const verdict = refusedBy('V2', { responderStatus: 'tryLater' })
    expect(failureOfAnswer(exchanged(), verdict, NOW, false)).toMatchObject({ code: 'response-malformed' })
  })

  it("that is successful in status and no basic response is malformed, not the responder's word", () => {
    const verdict = refusedBy('V3', { responderStatus: 'successful' })
    expect(failureOfAnswer(exchanged(), verdict, NOW, false)).toMatchObject({ code: 'response-not-basic' })
  })

  it('is awaited where the responder may have yet to hear of the certificate: then past its cache', () => {
    const unheard = { kind: 'awaited', remedy: 'fresh' }
    expect(failureOfAnswer(exchanged(), refusedBy('V15'), NOW, true)).toMatchObject(unheard)
    const unauthorized = refusedBy('V3', { responderStatus: 'unauthorized' })
    expect(failureOfAnswer(exchanged(), unauthorized, NOW, true)).toMatchObject(unheard)
  })

  it.each([
    [500, 'transient', 'post'],
    [503, 'transient', 'post'],
    [404, 'permanent', 'post'],
    [400, 'permanent', 'post'],
    [429, 'transient', 'none'],
    [301, 'permanent', 'none'],
    [399, 'permanent', 'none'],
  ] as const)('by HTTP with %i is %s, and asked about again: %s', (status, kind, remedy) => {
    const failure = {
      code: 'responder-http-error',
      rule: 'V1',
      detail: `HTTP status ${status}`,
      kind,
      remedy,
    }
    expect(failureOfHttp({ status }, NOW)).toStrictEqual(failure)
    expect(failureOfAnswer(exchanged({ status }), refusedBy('V2'), NOW, false)).toStrictEqual(failure)
    const later = failureOfHttp({ status, retryAfter: '60' }, NOW)
    expect(later).toMatchObject({ remedy: 'none', retryAfter: new Date(NOW.getTime() + 60_000) })
  })
})

describe('a failure on the way', () => {
  const refusal = (code: 'responder-reset' | 'responder-timeout' | 'url-forbidden') =>
    failureOnTheWay(new TicketringError(code, { wanted: 'an answer', came: 'none' }))

  it("is the network's and passes, or wants an operator; a front that resets may know POST", () => {
    expect(refusal('responder-timeout')).toMatchObject({ kind: 'transient', remedy: 'none' })
    expect(refusal('responder-reset')).toMatchObject({ kind: 'transient', remedy: 'post' })
    expect(refusal('url-forbidden')).toMatchObject({ kind: 'permanent', remedy: 'none' })
    expect(refusal('url-forbidden').detail).toBe('wanted an answer; got none')
  })

  it('that nobody foresaw is an error of ours, and passes', () => {
    expect(failureOnTheWay(new TypeError('no such field'))).toStrictEqual({
      code: 'internal-error',
      detail: 'TypeError: no such field',
      kind: 'transient',
      remedy: 'none',
    })
  })
})

describe('the issuer that no URL gave', () => {
  const at = (url: string, kind: TryFailure['kind']) => ({
    url,
    failure: { ...failure(kind, `${url} fails`), rule: 'V1' as const },
  })

  it('is missing where no URL is named, by a chain of which some cannot be read or by one that lacks it', () => {
    const missing = { code: 'issuer-missing', kind: 'permanent', remedy: 'none' }
    expect(failureOfIssuers([], 0)).toMatchObject(missing)
    expect(failureOfIssuers([], 0).detail).toContain('got a chain without it, and no caIssuers URL')
    expect(failureOfIssuers([], 2).detail).toContain('a chain of which 2 certificates cannot be read')
  })

  it('is tried again soon where each URL may yet give it, and names every one', () => {
    const [one, two] = [at('http://a/', 'transient'), at('http://b/', 'transient')]
    expect(failureOfIssuers([one, two], 0)).toStrictEqual({
      code: 'responder-timeout',
      detail:
        'wanted the issuer, by name and signature; got http://a/: http://a/ fails; http://b/: http://b/ fails',
      kind: 'transient',
      remedy: 'none',
    })
    const lasting = failureOfIssuers([one, at('http://b/', 'permanent')], 0)
    expect(lasting).toMatchObject({ code: 'issuer-missing', kind: 'permanent' })
  })
})

describe('the next way to ask one responder', () => {
  const ways = approachesTo('http://ocsp.example/', Buffer.of(1))
  const [fresh, post, none] = (['fresh', 'post', 'none'] as const).map((remedy) => ({ remedy })) as [
    Pick<TryFailure, 'remedy'>,
    Pick<TryFailure, 'remedy'>,
    Pick<TryFailure, 'remedy'>,
  ]

  it('is past its cache, then by POST; by POST at once where the method is at fault; else none', () => {
    expect(nextApproach(ways, 0, fresh)).toBe(1)
    expect(nextApproach(ways, 1, fresh)).toBe(2)
    expect(nextApproach(ways, 0, post)).toBe(2)
    expect(nextApproach(ways, 0, none)).toBeUndefined()
  })

  it('is none after the last one', () => {
    expect(nextApproach(ways, 2, fresh)).toBeUndefined()
    expect(nextApproach(ways, 2, post)).toBeUndefined()
  })
})

it('of the ways of asking one responder, the last that may pass counts, else what was said of the certificate', () => {
  const by = (rule: Rule | undefined, kind: TryFailure['kind'], detail: string): TryFailure => ({
    ...failure(kind, detail),
    ...(rule === undefined ? {} : { rule }),
  })
  const [busy, busier] = [by('V1', 'transient', 'busy'), by('V1', 'transient', 'busier')]
  const [signer, method] = [by('V6', 'permanent', 'signer'), by('V1', 'permanent', 'method')]
  expect(mostTelling([busy, busier, signer, method])).toBe(busier)
  expect(mostTelling([signer, method])).toBe(signer)
  expect(mostTelling([method, signer])).toBe(signer)
  expect(mostTelling([method, by('V1', 'permanent', 'too')])).toBe(method)
  expect(mostTelling([])).toBeUndefined()
})
