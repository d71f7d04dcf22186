import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { Certificate } from '../../lambda/ocsp/certificate.ts'
import { contextTag } from '../../lambda/ocsp/der-element.ts'
import { encode, encodeSequence } from '../../lambda/ocsp/der-writer.ts'
import { parseCertificates } from '../../lambda/ocsp/pem.ts'
import { findIssuer, prepareSubject } from '../../lambda/ocsp/subject.ts'
import { validateResponse } from '../../lambda/ocsp/validation.ts'
import { certify, extension, NO_CHECK, OCSP_SIGNING, type Party, purposes, respond } from './forge.ts'
import { at, broken, NOW } from './groups.ts'
import { Bench, opensslVerdict } from './openssl.ts'

/** A CA with three certificates over one key: expired, in force since an hour ago, and to come. */
const first = certify(NOW, { subject: 'CA', serial: Buffer.of(1), from: at(-9000), to: at(-0.5) })
const again = (serial: number, from: Date, to: Date): Party =>
  certify(NOW, { subject: 'CA', serial: Buffer.of(serial), pair: first.pair, from, to })
const renewed = again(2, at(-0.2), at(9000))
const shorter = again(3, at(-100), at(2000))
const coming = again(4, at(10), at(20_000))

/** AuthorityKeyIdentifier with the name and the serial of the issuer's first certificate (RFC 5280 §4.2.1.1). */
const byOldSerial = (issuer: Party, keyId?: Buffer) =>
  extension(
    '2.5.29.35',
    encodeSequence(
      ...(keyId === undefined ? [] : [encode(contextTag(0, 'primitive'), keyId)]),
      encode(contextTag(1), encode(contextTag(4), issuer.certificate.subject.der)),
      encode(contextTag(2, 'primitive'), issuer.certificate.serial),
    ),
  )

const leaf = certify(NOW, { subject: 'leaf', extensions: [byOldSerial(first)] }, first).certificate
const verdictOf = (issuer: Certificate, response: Buffer) =>
  validateResponse(response, prepareSubject(leaf, issuer), { now: NOW })

describe('of several certificates of one CA with one key', () => {
  const [a, b, c, d] = [first.certificate, renewed.certificate, shorter.certificate, coming.certificate]

  test('one within its dates counts, wherever it stands, and of those the latest to end', () => {
    expect(findIssuer(leaf, [a, b], [], NOW)).toBe(b)
    expect(findIssuer(leaf, [b, a], [], NOW)).toBe(b)
    expect(findIssuer(leaf, [a, c, d, b], [], NOW)).toBe(b)
    expect(findIssuer(leaf, [a], [d, c], NOW)).toBe(c)
  })

  test('without one the latest to end counts', () => {
    expect(findIssuer(leaf, [a, d], [], NOW)).toBe(d)
    expect(findIssuer(leaf, [a, b], [], at(9001))).toBe(b)
    expect(findIssuer(leaf, [a, c, b])).toBe(b)
  })

  test('twenty that issued each other are looked at and left again', () => {
    const many = Array.from({ length: 20 }, (_, n) => again(10 + n, at(-n - 1), at(n + 1)).certificate)
    expect(findIssuer(leaf, [], many, NOW)).toBeUndefined()
    expect(findIssuer(leaf, many.slice(0, 1), many.slice(1), NOW)?.notAfter).toEqual(at(20))
  })
})

describe('a response for a certificate of a CA that was renewed with the same key', () => {
  const delegated = [purposes(OCSP_SIGNING), NO_CHECK]

  test('is good though it was produced before the CA certificate of today', () => {
    const response = respond(NOW, leaf, first.certificate, first, { producedAt: at(-5) })
    expect(verdictOf(renewed.certificate, response).verdict).toBe('good')
  })

  test('is good though it was produced before the certificate of its delegate, renewed as well', () => {
    const delegate = certify(NOW, { subject: 'delegate', extensions: delegated, from: at(-0.1) }, renewed)
    const response = respond(NOW, leaf, first.certificate, delegate, { producedAt: at(-5) })
    expect(verdictOf(renewed.certificate, response).verdict).toBe('good')
  })

  test('is refused where it was produced before the certificate that it is about', () => {
    const response = respond(NOW, leaf, first.certificate, first, { producedAt: at(-31 * 24) })
    expect(broken(verdictOf(renewed.certificate, response))).toEqual(['V12'])
  })

  test.each([
    ['the old serial', byOldSerial(first)],
    ['the old serial and a key identifier of another form', byOldSerial(first, Buffer.alloc(20, 7))],
  ])('is good though the delegate names its issuer by %s', (_, identifier) => {
    const spec = { subject: 'delegate', serial: Buffer.of(9), extensions: [...delegated, identifier] }
    const delegate = certify(NOW, spec, first)
    const response = respond(NOW, leaf, first.certificate, delegate)
    expect(verdictOf(renewed.certificate, response)).toMatchObject({
      verdict: 'good',
      signer: { kind: 'delegate' },
    })
  })

  test('is refused by another key, whatever the identifier says', () => {
    const stranger = certify(NOW, { subject: 'CA', serial: Buffer.of(1) })
    expect(findIssuer(leaf, [stranger.certificate], [], NOW)).toBeUndefined()
    expect(prepareSubject(leaf, stranger.certificate).objection).toMatch(/does not verify/)
  })
})

describe('a CA of the openssl command, renewed with its key', () => {
  const bench = new Bench()
  afterAll(() => bench.remove())
  const one = (file: string) => parseCertificates(readFileSync(bench.file(file)))[0]

  beforeAll(async () => {
    const ca = (serial: string, out: string) => [
      ...['req', '-x509', '-new', '-key', 'ca.key', '-subj', '/CN=renewed', '-days', '30'],
      ...['-set_serial', serial, '-out', out],
    ]
    bench.file('leaf.ext', 'authorityKeyIdentifier=keyid:always,issuer:always\n')
    await bench.openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', 'ca.key')
    await bench.openssl(...ca('1', 'old.pem'))
    await bench.openssl(...ca('2', 'ca.pem'))
    await bench.openssl('req', '-new', '-key', 'ca.key', '-subj', '/CN=leaf', '-out', 'leaf.csr')
    const signing = ['-CA', 'old.pem', '-CAkey', 'ca.key', '-set_serial', '77', '-extfile', 'leaf.ext']
    await bench.openssl('x509', '-req', '-in', 'leaf.csr', ...signing, '-days', '9', '-out', 'leaf.pem')
    bench.file('index.txt', 'V\t351231235959Z\t\t4D\tunknown\t/CN=leaf\n')
    await bench.openssl('ocsp', '-issuer', 'ca.pem', '-cert', 'leaf.pem', '-no_nonce', '-reqout', 'req')
    const by = ['-index', 'index.txt', '-CA', 'ca.pem', '-rsigner', 'ca.pem', '-rkey', 'ca.key']
    await bench.openssl('ocsp', ...by, '-reqin', 'req', '-respout', 'response', '-ndays', '3')
  })

  test('has issued what names the serial of the old certificate, and vouches for it', async () => {
    const [leaf, issuer] = [one('leaf.pem'), one('ca.pem')]
    const response = readFileSync(bench.file('response'))
    expect(findIssuer(leaf, [issuer])).toBe(issuer)
    const verdict = validateResponse(response, prepareSubject(leaf, issuer), { now: new Date() })
    expect(verdict.verdict, JSON.stringify(verdict.outcomes)).toBe('good')
    expect((await opensslVerdict(bench, response, 'leaf.pem', 'ca.pem')).verdict).toBe('good')
  })
})
