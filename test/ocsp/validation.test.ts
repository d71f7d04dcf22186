import { describe, expect, test } from 'vitest'

import type { Options } from '../../lambda/ocsp/validation.ts'
import { RULES } from '../../lambda/ocsp/verdict.ts'
import { CASES, type Case, DELEGATED_CASES } from './cases.ts'
import { ecPair, pss, rsaPair, SCHEMES, type Scheme } from './forge.ts'
import { broken, build, byDelegateWith, GROUPS, type Group, group, judge, RSA } from './groups.ts'

function expectVerdict(id: string, bent: Case): void {
  const from = GROUPS[id] as Group
  const response = build(from, bent)
  const verdict = judge(from, response, bent.options)
  expect({ verdict: verdict.verdict, broken: broken(verdict) }).toEqual({
    verdict: bent.verdict,
    broken: bent.broken ?? [],
  })
  expect(verdict.outcomes.map(({ rule }) => rule)).toEqual(RULES)
}

describe.each(Object.keys(GROUPS))('%s', (id) => {
  test.each(CASES)('$what: $verdict', (bent) => expectVerdict(id, bent))
})

describe('the same by a delegate', () => {
  test.each(DELEGATED_CASES)('$what: $verdict', (bent) => expectVerdict('P-256', bent))
})

describe('algorithms', () => {
  const signedWith = (from: Group, scheme: Scheme, options: Partial<Options> = {}) =>
    judge(from, build(from, { spec: { scheme } }), options)

  test('SHA-1 signs only where it is allowed', () => {
    expect(broken(signedWith(RSA, SCHEMES.rsaSha1))).toEqual(['V8'])
    expect(signedWith(RSA, SCHEMES.rsaSha1, { allowSha1: true }).verdict).toBe('good')
    const masked = pss('sha1', { salt: 20, stated: 20 })
    expect(broken(signedWith(RSA, masked))).toEqual(['V8'])
    expect(signedWith(RSA, masked, { allowSha1: true }).verdict).toBe('good')
  })

  test('a delegate that was certified over SHA-1 counts only where SHA-1 is allowed', () => {
    const from = { ...RSA, issuer: { ...RSA.issuer, scheme: SCHEMES.rsaSha1 } }
    const response = build(RSA, { signer: () => byDelegateWith({})(from) })
    expect(broken(judge(RSA, response))).toEqual(['V6'])
    expect(judge(RSA, response, { allowSha1: true }).verdict).toBe('good')
  })

  test('an RSA key that can be factored is refused', () => {
    const weak = rsaPair(768)
    const from = group('weak', weak, SCHEMES.rsa, weak)
    expect(broken(judge(from, build(from, {})))).toEqual(['V8'])
  })

  test('MD5 is never allowed', () => {
    expect(broken(signedWith(RSA, SCHEMES.rsaMd5, { allowSha1: true }))).toEqual(['V8'])
  })

  test('PSS parameters are checked: mask, salt and trailer', () => {
    expect(signedWith(RSA, pss('sha256')).verdict).toBe('good')
    expect(signedWith(RSA, pss('sha256', { salt: 222, stated: 222 })).verdict).toBe('good')
    for (const wrong of [{ masks: 'sha1' as const }, { salt: 20 }, { stated: 20 }, { trailer: 2 }]) {
      expect(broken(signedWith(RSA, pss('sha256', wrong as object))), JSON.stringify(wrong)).toEqual(['V8'])
    }
  })

  test('a scheme that does not go with the key is refused', () => {
    const over = (spec: Scheme) => ({ ...spec, sign: RSA.issuer.scheme.sign })
    expect(broken(signedWith(RSA, over(SCHEMES.p256)))).toEqual(['V8'])
    expect(broken(signedWith(RSA, over(SCHEMES.ed25519)))).toEqual(['V8'])
  })

  const by = (curve: string, scheme: Scheme) => {
    const from = group('CA', ecPair(curve), scheme, ecPair(curve))
    return broken(judge(from, build(from, {})))
  }

  test('of the curves P-384, P-521 and brainpool are allowed', () => {
    expect(by('secp384r1', SCHEMES.p384)).toEqual([])
    expect(by('secp521r1', SCHEMES.p521)).toEqual([])
    for (const bits of [256, 384, 512])
      for (const scheme of [SCHEMES.p256, SCHEMES.p384, SCHEMES.p521])
        expect(by(`brainpoolP${bits}r1`, scheme), `${bits}`).toEqual([])
  })

  test('the curve secp256k1 is not allowed', () => {
    expect(by('secp256k1', SCHEMES.p256)).toEqual(['V8'])
  })
})
