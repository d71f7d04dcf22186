import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { isRefusal } from '../../lambda/kernel/errors.ts'
import { type Certificate, parseCertificate } from '../../lambda/ocsp/certificate.ts'
import { encodeExplicit } from '../../lambda/ocsp/der-writer.ts'
import { describeName } from '../../lambda/ocsp/name.ts'
import { prepareSubject } from '../../lambda/ocsp/subject.ts'
import { validateResponse } from '../../lambda/ocsp/validation.ts'
import { build, judge, NOW, P256 } from './groups.ts'
import { makeOddCertificates } from './odd-certificates.ts'
import { Bench } from './openssl.ts'

const bench = new Bench()
let odd: ReadonlyMap<string, Buffer>
beforeAll(async () => {
  odd = await makeOddCertificates(bench)
}, 60_000)
afterAll(() => bench.remove())

function readable(): [string, Certificate][] {
  return [...odd].flatMap(([what, der]) => {
    try {
      return [[what, parseCertificate(der)] as [string, Certificate]]
    } catch (error) {
      expect(isRefusal(error, 'certificate-malformed'), `${what}: ${error}`).toBe(true)
      return []
    }
  })
}

describe('a certificate made by the openssl command with an odd field', () => {
  test('has a name for the eye, on one line', () => {
    const names = new Map(readable().map(([what, { subject }]) => [what, describeName(subject)]))
    expect(names.get('an empty subject')).toBe('an empty name')
    expect(names.get('a name of several parts in one')).toBe('CN=a, O=b, OU=c')
    expect(names.get('a name with line ends and a direction mark')).toBe('CN=a?b??c')
    expect(names.get('a name of Japanese')).toBe('CN=認証局')
  })

  test('may be sent along by any responder, as the signer too: the response is judged', () => {
    for (const [what, der] of odd) {
      expect(judge(P256, build(P256, { spec: { certificates: [der] } })).verdict, what).toBe('good')
    }
    for (const [what, certificate] of readable()) {
      const responder = encodeExplicit(1, certificate.subject.der)
      const verdict = judge(P256, build(P256, { spec: { certificates: [certificate.der], responder } }))
      expect(verdict.outcomes[5], what).toMatchObject({ rule: 'V6', ok: false })
      expect(verdict.outcomes[5]?.detail, what).toContain(describeName(certificate.subject))
    }
  })

  test('may be an issuer that did not issue: that is what the verdict says', () => {
    for (const [what, certificate] of readable()) {
      const verdict = validateResponse(build(P256, {}), prepareSubject(P256.leaf, certificate), { now: NOW })
      expect(verdict.outcomes[15], what).toMatchObject({ rule: 'V16', ok: false })
    }
  })
})
