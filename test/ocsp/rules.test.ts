import { describe, expect, test } from 'vitest'
import { TAG } from '../../lambda/ocsp/der-element.ts'
import {
  encode,
  encodeExplicit,
  encodeOctets,
  encodeOid,
  encodeSequence,
} from '../../lambda/ocsp/der-writer.ts'
import { LARGEST_RESPONSE } from '../../lambda/ocsp/rules-form.ts'
import { prepareSubject } from '../../lambda/ocsp/subject.ts'
import { type Options, validateResponse } from '../../lambda/ocsp/validation.ts'
import type { Rule, Verdict } from '../../lambda/ocsp/verdict.ts'
import { certify, extension, type ResponseSpec, revoked, SHA256, type SingleSpec } from './forge.ts'
import { at, broken, build, GROUPS, type Group, judge, NOW, P256 } from './groups.ts'

const outcome = (verdict: Verdict, rule: Rule) => verdict.outcomes.find((each) => each.rule === rule)
const said = (rule: Rule, spec: ResponseSpec, options: Partial<Options> = {}) =>
  outcome(judge(P256, build(P256, { spec }), options), rule)
const ofSingles = (rule: Rule, ...singles: readonly SingleSpec[]) => said(rule, { singles })
const ED25519 = GROUPS.Ed25519 as Group
const GARBAGE = Buffer.of(5, 0)

describe('form', () => {
  test('a response of 64 KiB is read, and one byte more is not', () => {
    const ofLength = (length: number) => {
      const padded = (fill: number) =>
        // The signatures of Ed25519 are of one length.
        build(ED25519, { spec: { certificates: [encodeOctets(Buffer.alloc(fill))] } })
      return padded(60_000 + length - padded(60_000).length)
    }
    expect(ofLength(LARGEST_RESPONSE)).toHaveLength(LARGEST_RESPONSE)
    expect(judge(ED25519, ofLength(LARGEST_RESPONSE)).verdict).toBe('good')
    expect(broken(judge(ED25519, ofLength(LARGEST_RESPONSE + 1)))).toEqual(['V2'])
    const transport = (length: number) => ({ status: 200, contentType: 'application/ocsp-response', length })
    expect(said('V1', {}, { transport: transport(LARGEST_RESPONSE) })).toMatchObject({ ok: true })
    expect(said('V1', {}, { transport: transport(LARGEST_RESPONSE + 1) })).toMatchObject({ ok: false })
  })

  test('a kind of response that is none of a status is named', () => {
    const kind = (response: Buffer) => outcome(judge(P256, response), 'V3')?.detail
    const number = (octet: number) => encode(TAG.enumerated, Buffer.of(octet))
    expect(kind(encodeSequence(number(9)))).toBe('responder status 9, which is not assigned')
    expect(kind(encodeSequence(number(6)))).toBe('responder status unauthorized')
    expect(kind(encodeSequence(number(0)))).toBe('no response bytes')
    expect(kind(build(P256, { spec: { type: '1.2.3' } }))).toBe('response type 1.2.3')
    const bytes = encodeSequence(encodeOid('1.2.3'), encodeOctets(GARBAGE))
    expect(kind(encodeSequence(number(0), encodeExplicit(0, bytes)))).toBe('response type 1.2.3')
  })

  test('a responder is told by name or by key, by nothing else', () => {
    const responder = encodeExplicit(3, encodeOctets(Buffer.alloc(20, 9)))
    expect(said('V2', { responder })?.detail).toMatch(/responderID by name or by key/)
  })

  test('that no nonce was sent is said whether one came or not', () => {
    expect(said('V10', {})?.detail).toBe('no nonce was sent')
    const extensions = [extension('1.3.6.1.5.5.7.48.1.2', encodeOctets(Buffer.alloc(32)))]
    expect(said('V10', { extensions })?.detail).toMatch(/the one that came is left alone/)
  })
})

describe('the status', () => {
  test('of another certificate is told by the fields that differ, of many four', () => {
    const other = (serial: number): SingleSpec => ({ serial: Buffer.of(serial) })
    expect(ofSingles('V4', other(9), { hash: SHA256, issuerKeyHash: Buffer.alloc(32), ...other(9) })).toEqual(
      {
        rule: 'V4',
        ok: false,
        detail: 'no status is about this certificate: serial differ; issuerKeyHash, serial differ',
      },
    )
    expect(ofSingles('V4', { hash: '1.2.3' })?.detail).toMatch(/: hash 1\.2\.3 is unknown$/)
    expect(ofSingles('V4')?.detail).toMatch(/: the list is empty$/)
    expect(ofSingles('V4', ...[7, 8, 9, 10, 12].map(other))?.detail.split('; ')).toHaveLength(4)
  })

  test('that is none of ours leaves the others with nothing to judge, and has no end', () => {
    const verdict = judge(P256, build(P256, { spec: { singles: [{ serial: Buffer.of(9) }] } }))
    for (const rule of ['V5', 'V11', 'V12', 'V13', 'V14', 'V15'] as const)
      expect(outcome(verdict, rule), rule).toMatchObject({ ok: null })
    expect(verdict).not.toHaveProperty('effectiveEnd')
  })

  test('that is the worst of several counts, and how many there are is said', () => {
    const bad = { hash: SHA256, status: revoked(at(-5)) }
    expect(ofSingles('V5', {})?.detail).toBe('1 of 1 statuses is about this certificate')
    expect(ofSingles('V5', {}, { serial: Buffer.of(9) })?.detail).toMatch(/^1 of 2 statuses is about/)
    expect(ofSingles('V5', {}, bad)?.detail).toBe(
      '2 of 2 statuses are about this certificate, the worst of which is revoked',
    )
  })

  test('that is revoked is told with its time, and with a reason where there is one', () => {
    const when = at(-5)
    expect(ofSingles('V15', { status: revoked(when) })?.detail).toBe(`revoked at ${when.toISOString()}`)
    expect(ofSingles('V15', { status: revoked(when, 1) })?.detail).toMatch(/: keyCompromise$/)
    expect(ofSingles('V15', { status: revoked(when, 7) })?.detail).toMatch(/: reason 7$/)
  })
})

describe('time', () => {
  const minute = 1 / 60

  test('each status about the certificate needs its nextUpdate, and without one there is no end', () => {
    const singles = [{}, { hash: SHA256, nextUpdate: 'none' }] as const
    const verdict = judge(P256, build(P256, { spec: { singles } }))
    expect(broken(verdict)).toEqual(['V11'])
    expect(verdict).not.toHaveProperty('effectiveEnd')
    const allowed = judge(P256, build(P256, { spec: { singles } }), { maxAge: 7200 })
    expect(allowed).toMatchObject({ verdict: 'good', effectiveEnd: at(1) })
  })

  test('a nextUpdate that has come is stale, and one at thisUpdate is none', () => {
    expect(ofSingles('V12', { nextUpdate: at(0) })?.detail).toMatch(/^stale since/)
    expect(ofSingles('V12', { nextUpdate: at(minute) })).toMatchObject({ ok: true })
    expect(ofSingles('V12', { thisUpdate: at(minute), nextUpdate: at(minute) })?.detail).toMatch(
      /is not after thisUpdate$/,
    )
  })

  test('what was produced in the last second of the certificate still counts', () => {
    const options = { heldAt: at(400 * 24) }
    const { notAfter } = P256.leaf
    expect(said('V12', { producedAt: notAfter }, options)).toMatchObject({ ok: true })
    const late = new Date(notAfter.getTime() + 1000)
    expect(said('V12', { producedAt: late }, options)).toMatchObject({ ok: false })
  })

  test('what is newer than the stored one is told from what is the same', () => {
    expect(said('V14', {}, { stored: at(-2) })?.detail).toBe('newer than the stored one')
    expect(said('V14', {}, { stored: at(-1) })?.detail).toBe('the same thisUpdate as the stored one')
  })

  test('an end at that of the certificate is worth no warning', () => {
    const leaf = certify(NOW, { subject: 'leaf', extensions: [], to: at(5) }, P256.issuer).certificate
    const until = (nextUpdate: Date) => {
      const response = build({ ...P256, leaf }, { spec: { singles: [{ nextUpdate }] } })
      return judge({ ...P256, leaf }, response).warnings
    }
    expect(until(at(5))).toEqual([])
    expect(until(at(6))).toEqual(['nextUpdate is after the end of the certificate'])
  })
})

describe('a response that cannot be read', () => {
  const about = (spec: Parameters<typeof certify>[1], options: Partial<Options> = {}) => {
    const leaf = certify(NOW, { subject: 'leaf', extensions: [], ...spec }, P256.issuer).certificate
    return judge({ ...P256, leaf }, GARBAGE, options)
  }

  test('still leaves the certificate to be judged, to the second', () => {
    const second = 1 / 3600
    expect(broken(about({ from: at(300 * second) }))).toEqual(['V2'])
    expect(broken(about({ from: at(301 * second) }))).toEqual(['V2', 'V16'])
    expect(broken(about({ from: at(100 * second) }, { skew: 60 }))).toEqual(['V2', 'V16'])
    expect(broken(about({ to: at(0) }))).toEqual(['V2'])
    expect(broken(about({ to: at(-second) }))).toEqual(['V2', 'V16'])
  })

  test('comes without warnings and statuses', () => {
    expect(about({})).toMatchObject({ verdict: 'refused', warnings: [], singles: 0 })
    expect(about({})).not.toHaveProperty('responderStatus')
  })

  test('is a refusal also where the fault is ours', () => {
    const options = {
      get now(): Date {
        throw new TypeError('no clock')
      },
    }
    const verdict = validateResponse(
      build(P256, {}),
      prepareSubject(P256.leaf, P256.issuer.certificate),
      options,
    )
    expect(verdict).toMatchObject({ verdict: 'refused', warnings: [], singles: 0 })
    expect(outcome(verdict, 'V2')).toMatchObject({ ok: false, detail: expect.stringContaining('no clock') })
  })
})

test('a certificate sent along that OpenSSL cannot read is counted and warned of', () => {
  const bad = encodeSequence()
  const verdict = judge(P256, build(P256, { spec: { certificates: [bad, P256.leaf.der, bad] } }))
  expect(verdict).toMatchObject({ verdict: 'good', unreadableCertificates: 2 })
  expect(verdict.warnings).toEqual(['OpenSSL cannot read a certificate sent along, and so not the response'])
  const sound = judge(P256, build(P256, { spec: { certificates: [P256.leaf.der] } }))
  expect(sound.warnings).toEqual([])
  expect(sound).not.toHaveProperty('unreadableCertificates')
  expect(sound).toMatchObject({ certIdHash: 'sha1', certIdHasNull: true })
})
