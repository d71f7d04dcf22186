import { describe, expect, test } from 'vitest'

import { TAG } from '../../lambda/ocsp/der-element.ts'
import {
  encode,
  encodeExplicit,
  encodeOctets,
  encodeOid,
  encodeSequence,
} from '../../lambda/ocsp/der-writer.ts'
import { objectionOfHaproxy } from '../../lambda/ocsp/haproxy-objection.ts'
import { prepareSubject } from '../../lambda/ocsp/subject.ts'
import { validateResponse } from '../../lambda/ocsp/validation.ts'
import { brokenRules } from '../../lambda/ocsp/verdict.ts'
import { byDelegate } from './cases.ts'
import {
  certify,
  extension,
  GOOD,
  OCSP_SIGNING,
  purposes,
  type ResponseSpec,
  revoked,
  SHA256,
} from './forge.ts'
import { at, broken, build, byDelegateWith, commonNameOf, judge, NOW, P256, STRANGER } from './groups.ts'
import { Bench } from './openssl.ts'

describe('what the owner decides', () => {
  test('a response older than the stored one is refused; the same one is not', () => {
    const response = build(P256, {})
    expect(broken(judge(P256, response, { stored: at(-0.5) }))).toEqual(['V14'])
    expect(judge(P256, response, { stored: at(-1) }).verdict).toBe('good')
    expect(judge(P256, response, { stored: at(-2) }).verdict).toBe('good')
  })

  test('the skew bounds how far a responder may be ahead', () => {
    const response = build(P256, { spec: { singles: [{ thisUpdate: at(4 / 60) }] } })
    expect(broken(judge(P256, response, { skew: 60 }))).toEqual(['V12'])
  })

  test('the usual skew is 300 s, to the second', () => {
    const ahead = (seconds: number) =>
      broken(judge(P256, build(P256, { spec: { singles: [{ thisUpdate: at(seconds / 3600) }] } })))
    expect(ahead(300)).toEqual([])
    expect(ahead(301)).toEqual(['V12'])
    const produced = (seconds: number) =>
      broken(judge(P256, build(P256, { spec: { producedAt: at(seconds / 3600) } })))
    expect(produced(300)).toEqual([])
    expect(produced(301)).toEqual(['V12'])
    const began = (P256.leaf.notBefore.getTime() - NOW.getTime()) / 1000
    expect(produced(began - 300)).toEqual([])
    expect(produced(began - 301)).toEqual(['V12'])
  })

  test('a judge of the past may hold what was produced after it', () => {
    const response = build(P256, { spec: { producedAt: at(1) } })
    expect(judge(P256, response, { heldAt: at(2) }).verdict).toBe('good')
    const late = build(P256, { spec: { producedAt: at(301 * 24) } })
    expect(broken(judge(P256, late, { heldAt: at(400 * 24) }))).toEqual(['V12'])
  })
})

describe('a nonce that was not sent', () => {
  test('is left alone, whatever it is, and so is its absence', () => {
    const nonce = (value: Buffer) =>
      build(P256, { spec: { extensions: [extension('1.3.6.1.5.5.7.48.1.2', value)] } })
    for (const response of [
      nonce(encodeOctets(Buffer.alloc(32, 7))),
      nonce(Buffer.alloc(300)),
      build(P256, {}),
    ]) {
      const { verdict, outcomes } = judge(P256, response)
      expect(verdict).toBe('good')
      expect(outcomes[9]).toMatchObject({ rule: 'V10', ok: null })
    }
    const [came] = judge(P256, nonce(Buffer.of(5, 0))).outcomes.filter(({ rule }) => rule === 'V10')
    expect(came?.detail).toBe('no nonce was sent; the one that came is left alone')
  })
})

describe('the exchange', () => {
  const overHttp = (status: number, contentType: string | undefined, length = 500) =>
    judge(P256, build(P256, {}), { transport: { status, contentType, length } })

  test('status 200, the media type with or without parameters, and a bounded body pass', () => {
    expect(overHttp(200, 'application/ocsp-response').verdict).toBe('good')
    expect(overHttp(200, 'Application/OCSP-Response; charset=binary').verdict).toBe('good')
  })

  test('anything else breaks V1', () => {
    expect(broken(overHttp(503, 'application/ocsp-response'))).toEqual(['V1'])
    expect(broken(overHttp(200, 'text/html'))).toEqual(['V1'])
    expect(broken(overHttp(200, undefined))).toEqual(['V1'])
    expect(broken(overHttp(200, 'application/ocsp-response', 65 * 1024))).toEqual(['V1'])
  })

  test('a response of more than 64 KiB is not even read', () => {
    const padded = (count: number) =>
      build(P256, { spec: { certificates: Array(count).fill(P256.leaf.der) } })
    expect(judge(P256, padded(50)).verdict).toBe('good')
    expect(broken(judge(P256, padded(300)))).toEqual(['V2'])
  })
})

describe('the effective end', () => {
  test('is nextUpdate, the end of the delegate or that of the certificate, whichever is first', () => {
    const next = at(48)
    const singles = [{ nextUpdate: next }]
    expect(judge(P256, build(P256, { spec: { singles } })).effectiveEnd).toEqual(next)
    const short = byDelegateWith({ to: at(10) })
    expect(judge(P256, build(P256, { signer: short, spec: { singles } })).effectiveEnd).toEqual(at(10))
    const leaf = certify(NOW, { subject: 'leaf', extensions: [], to: at(5) }, P256.issuer).certificate
    const brief = judge({ ...P256, leaf }, build({ ...P256, leaf }, { spec: { singles } }))
    expect(brief).toMatchObject({ verdict: 'good', effectiveEnd: at(5) })
    expect(brief.warnings).toEqual(['nextUpdate is after the end of the certificate'])
  })

  test('of several statuses about one certificate it is the earliest', () => {
    const singles = [{ nextUpdate: at(48) }, { hash: SHA256, nextUpdate: at(12) }]
    expect(judge(P256, build(P256, { spec: { singles } })).effectiveEnd).toEqual(at(12))
  })
})

describe('the certificate itself', () => {
  const withLeaf = (spec: Parameters<typeof certify>[1]) => {
    const leaf = certify(NOW, { subject: 'leaf', extensions: [], ...spec }, P256.issuer).certificate
    return judge({ ...P256, leaf }, build({ ...P256, leaf }, {}))
  }

  test('an expired certificate is refused, and so is one whose time is to come', () => {
    expect(broken(withLeaf({ to: at(-0.1) }))).toEqual(['V16'])
    expect(broken(withLeaf({ from: at(0.5) }))).toEqual(['V12', 'V16'])
  })

  test('an expired issuer is refused, whatever it signs, and so is one whose time is to come', () => {
    const dated = (dates: Parameters<typeof certify>[1]) => {
      const { pair, scheme } = P256.issuer
      const issuer = certify(NOW, { subject: 'P-256 CA', pair, scheme, serial: Buffer.of(1), ...dates })
      const from = { ...P256, issuer }
      return broken(judge(from, build(from, {})))
    }
    expect(dated({})).toEqual([])
    expect(dated({ to: at(-0.1) })).toEqual(['V16'])
    expect(dated({ from: at(0.5) })).toEqual(['V16'])
  })

  test('an issuer that did not issue it is refused, by name or by key', () => {
    const subject = commonNameOf(P256.issuer)
    const impostor = certify(NOW, { subject, serial: Buffer.of(1) }).certificate
    for (const issuer of [impostor, STRANGER.issuer.certificate]) {
      const verdict = validateResponse(build(P256, {}), prepareSubject(P256.leaf, issuer), { now: NOW })
      expect(broken(verdict)).toEqual(expect.arrayContaining(['V4', 'V6', 'V16']))
    }
  })
})

describe('certificates sent along', () => {
  const garbage: readonly (readonly [what: string, der: Buffer])[] = [
    ['a serial that is not minimal', encodeSequence(encodeSequence(encode(TAG.integer, Buffer.of(0, 0, 1))))],
    ['a serial of 70 octets', encodeSequence(encodeSequence(encode(TAG.integer, Buffer.alloc(70, 1))))],
    ['an indefinite length inside', encodeSequence(Buffer.of(0x30, 0x80, 0, 0))],
    ['a length beyond its end', encodeSequence(Buffer.of(0x04, 0x7f, 1))],
    ['nothing in it', encodeSequence()],
    ['a number', encode(TAG.integer, Buffer.of(1))],
    ['a text', encode(TAG.utf8String, Buffer.from('certificate'))],
    [
      'twenty levels',
      Array.from({ length: 20 }).reduce<Buffer>((inner) => encodeSequence(inner), Buffer.of(5, 0)),
    ],
  ]

  test.each(garbage)('that cannot be read are left out, not the response: %s', (_, der) => {
    for (const certificates of [
      [der],
      [der, P256.delegate.certificate.der],
      [P256.delegate.certificate.der, der],
    ]) {
      expect(judge(P256, build(P256, { spec: { certificates } })).verdict).toBe('good')
      const verdict = judge(P256, build(P256, { signer: byDelegate, spec: { certificates } }))
      expect(verdict.verdict).toBe(certificates.length > 1 ? 'good' : 'refused')
    }
  })

  test('that OpenSSL cannot read are worth a warning, and keep HAProxy from taking the response', async () => {
    const bench = new Bench()
    try {
      const [[, der]] = garbage as [(typeof garbage)[0]]
      for (const [certificates, objection] of [
        [[der], /cannot be read by OpenSSL/],
        [[STRANGER.leaf.der], undefined],
      ] as const) {
        const response = build(P256, { spec: { certificates } })
        const verdict = judge(P256, response)
        expect(verdict.warnings).toHaveLength(objection === undefined ? 0 : 1)
        if (objection === undefined) expect(objectionOfHaproxy(verdict)).toBeUndefined()
        else expect(objectionOfHaproxy(verdict)).toMatch(objection)
        const file = bench.file('response.der', response)
        const said = await bench.openssl('ocsp', '-respin', file, '-resp_text', '-noverify')
        expect(said.includes('decode error')).toBe(objection !== undefined)
      }
    } finally {
      bench.remove()
    }
  })

  test('of what was signed nothing is left out', () => {
    const singles = [{}, { serial: Buffer.of(0, 0, 1) }]
    expect(broken(judge(P256, build(P256, { spec: { singles } })))).toEqual(['V2'])
  })
})

describe('the key usage of a delegate', () => {
  const by = (octets: number[], critical = true) => {
    const usage = extension('2.5.29.15', encode(TAG.bitString, Buffer.from(octets)), critical)
    const signer = byDelegateWith({ extensions: [purposes(OCSP_SIGNING), usage] })
    return broken(judge(P256, build(P256, { signer })))
  }

  test.each([
    ['digitalSignature', [7, 0x80]],
    ['nonRepudiation alone', [6, 0x40]],
    ['both', [6, 0xc0]],
    ['nonRepudiation and keyCertSign', [2, 0x44]],
  ])('with %s may sign', (_, octets) => {
    expect(by(octets)).toEqual([])
    expect(by(octets, false)).toEqual([])
  })

  test.each([
    ['keyEncipherment', [5, 0x20]],
    ['keyCertSign and cRLSign', [1, 0x06]],
    ['decipherOnly, of the second octet', [7, 0, 0x80]],
    ['nothing', [0]],
  ])('with %s may not', (_, octets) => {
    expect(by(octets)).toEqual(['V6'])
  })
})

describe('text from outside', () => {
  const huge = (octets: number) => Buffer.concat([Buffer.of(0x2b), Buffer.alloc(octets, 1)])
  const oid = encode(TAG.oid, huge(60_000))
  const flagged = encodeSequence(oid, encode(TAG.boolean, Buffer.of(0xff)), encodeOctets(Buffer.of(5, 0)))
  const named = encodeSequence(
    encode(TAG.set, encodeSequence(encodeOid('2.5.4.3'), encode(TAG.utf8String, Buffer.alloc(50_000, 'x')))),
  )
  const cases: readonly (readonly [what: string, rule: string, spec: ResponseSpec])[] = [
    ['the OID of an extension', 'V9', { extensions: [flagged] }],
    ['the OID of an extension of the status', 'V9', { singles: [{ extensions: [flagged] }] }],
    [
      'the OID of a signature',
      'V8',
      { scheme: { algorithm: encodeSequence(oid), sign: () => Buffer.of(0) } },
    ],
    ['a name', 'V6', { responder: encodeExplicit(1, named) }],
  ]

  test.each(cases)('is cut where it is read: %s', (_, rule, spec) => {
    const verdict = judge(P256, build(P256, { spec }))
    expect(broken(verdict)).toContain(rule)
    for (const { detail } of verdict.outcomes) expect(detail.length).toBeLessThan(300)
  })

  test('is cut of a signer that is named', () => {
    const { certificate } = certify(NOW, { subject: 'x'.repeat(25_000), extensions: [] }, P256.issuer)
    const responder = encodeExplicit(1, certificate.subject.der)
    const verdict = judge(P256, build(P256, { spec: { certificates: [certificate.der], responder } }))
    expect(verdict.outcomes[5]?.detail).toMatch(/^CN=x{157}…: its extended key usage lacks OCSPSigning$/)
  })
})

describe('what a verdict tells', () => {
  test('a revocation comes with its time and its reason', () => {
    const status = revoked(at(-5), 1)
    expect(judge(P256, build(P256, { spec: { singles: [{ status }] } })).revoked).toEqual({
      at: at(-5),
      reason: 'keyCompromise',
    })
  })

  test('a delegate without nocheck is worth a warning', () => {
    const signer = byDelegateWith({ extensions: [purposes(OCSP_SIGNING)] })
    expect(judge(P256, build(P256, { signer })).warnings).toEqual(['the delegate lacks nocheck'])
  })

  test('each refused signer is named with the reason', () => {
    const verdict = judge(P256, build(P256, { signer: () => P256.sibling }))
    expect(brokenRules(verdict)[0]?.detail).toBe('CN=sibling: its extended key usage lacks OCSPSigning')
  })

  test("the responder's own error is named", () => {
    const responderStatus = encode(TAG.enumerated, Buffer.of(3))
    expect(judge(P256, encodeSequence(responderStatus))).toMatchObject({ responderStatus: 'tryLater' })
  })

  test('HAProxy takes one status with a SHA-1 CertID, NULL parameters and a nextUpdate', () => {
    const objection = (singles: NonNullable<ResponseSpec['singles']>) =>
      objectionOfHaproxy(judge(P256, build(P256, { spec: { singles } }), { maxAge: 86_400 }))
    expect(objection([{ status: GOOD }])).toBeUndefined()
    expect(objection([{}, { hash: SHA256 }])).toMatch(/2 statuses/)
    expect(objection([{ hash: SHA256 }])).toMatch(/sha256/)
    expect(objection([{ nullParameters: false }])).toMatch(/NULL/)
    expect(objection([{ nextUpdate: 'none' }])).toMatch(/nextUpdate/)
  })
})
