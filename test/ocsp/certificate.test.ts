import { describe, expect, test } from 'vitest'

import { parseCertificate } from '../../lambda/ocsp/certificate.ts'
import { contextTag, TAG } from '../../lambda/ocsp/der-element.ts'
import { encode, encodeOid, encodeSequence } from '../../lambda/ocsp/der-writer.ts'
import { describeName } from '../../lambda/ocsp/name.ts'
import { decodePem, looksLikeDer, parseCertificates, readCertificates } from '../../lambda/ocsp/pem.ts'
import { findIssuer, issuedByFirst, isWithinDates, objectionToIssuer } from '../../lambda/ocsp/subject.ts'
import { certify, DIGITAL_SIGNATURE, extension, integer, NO_CHECK, NULL, purposes } from './forge.ts'
import { pem } from './openssl.ts'

const NOW = new Date('2026-11-21T19:00:00Z')
const root = certify(NOW, { subject: 'root' })
const middle = certify(NOW, { subject: 'middle' }, root)
const leaf = certify(NOW, { subject: 'leaf', extensions: [] }, middle)
const withExtensions = (...extensions: Buffer[]) => certify(NOW, { extensions }, root).certificate

const access = (...entries: [method: string, tag: number, location: string][]) =>
  extension(
    '1.3.6.1.5.5.7.1.1',
    encodeSequence(
      ...entries.map(([oid, tag, text]) => encodeSequence(encodeOid(oid), encode(tag, Buffer.from(text)))),
    ),
  )
const URI = contextTag(6, 'primitive')
const OCSP = '1.3.6.1.5.5.7.48.1'
const CA_ISSUERS = '1.3.6.1.5.5.7.48.2'

describe('what a certificate says', () => {
  test('http(s) URLs of responders and of issuers in their order; others are nothing we could ask', () => {
    const certificate = withExtensions(
      access(
        [OCSP, URI, 'ldap://a'],
        [OCSP, URI, 'http://a'],
        [CA_ISSUERS, URI, 'http://b/ca.cer'],
        [OCSP, contextTag(2, 'primitive'), 'http://a.dns.name'],
        [OCSP, URI, 'ldap://a?http://b'],
        [OCSP, URI, 'HTTPS://c'],
      ),
    )
    expect(certificate).toMatchObject({
      ocspUrls: ['http://a', 'HTTPS://c'],
      caIssuerUrls: ['http://b/ca.cer'],
    })
  })

  test('no URL at all is a normal state', () => expect(leaf.certificate.ocspUrls).toEqual([]))

  test('must-staple is the feature status_request, not any other', () => {
    const feature = (...octets: number[]) =>
      extension('1.3.6.1.5.5.7.1.24', encodeSequence(integer(...octets)))
    expect(withExtensions(feature(5)).mustStaple).toBe(true)
    expect(withExtensions(feature(17)).mustStaple).toBe(false)
  })

  test('purposes, key usage, and the critical extensions we do not know', () => {
    const certificate = withExtensions(purposes('1.2.3'), DIGITAL_SIGNATURE, extension('1.3.9', NULL, true))
    expect(certificate).toMatchObject({
      keyPurposes: ['1.2.3'],
      keyUsages: ['digitalSignature'],
      unknownCritical: ['1.3.9'],
    })
    expect(leaf.certificate).toMatchObject({ keyPurposes: undefined, keyUsages: undefined })
  })
})

describe('what a certificate may do', () => {
  const constrained = (...content: Buffer[]) =>
    withExtensions(extension('2.5.29.19', encodeSequence(...content))).isAuthority

  test('it is an authority where its basic constraints say so', () => {
    expect(constrained(encode(TAG.boolean, Buffer.of(0xff)))).toBe(true)
    expect(constrained(encode(TAG.boolean, Buffer.of(0)))).toBe(false)
    expect(constrained()).toBe(false)
    expect(leaf.certificate.isAuthority).toBe(false)
  })

  test('a key usage of the second octet is read', () => {
    const usage = extension('2.5.29.15', encode(TAG.bitString, Buffer.of(7, 0, 0x80)))
    expect(withExtensions(usage).keyUsages).toEqual(['decipherOnly'])
  })

  test('it carries nocheck where it does', () => {
    expect(withExtensions(NO_CHECK).noCheck).toBe(true)
    expect(withExtensions(DIGITAL_SIGNATURE).noCheck).toBe(false)
  })

  test('a key that cannot be read has signed nothing', () => {
    const unreadable = () => {
      throw new Error('an algorithm that OpenSSL does not know')
    }
    expect(leaf.certificate.isSignedBy(unreadable)).toBe(false)
    expect(leaf.certificate.isSignedBy(middle.certificate.publicKey)).toBe(true)
  })
})

describe('the issuer', () => {
  const [r, m, l] = [root.certificate, middle.certificate, leaf.certificate]

  test('is found wherever it stands', () => {
    expect(findIssuer(l, [r, m])).toBe(m)
    expect(findIssuer(m, [m, r])).toBe(r)
  })

  test('of the chain counts where the chain leads to an anchor', () => {
    expect(findIssuer(l, [r], [m])).toBe(m)
    expect(findIssuer(l, [certify(NOW, { subject: 'stranger' }).certificate], [m])).toBeUndefined()
  })

  test('counts over any number of steps, in any order', () => {
    const lower = certify(NOW, { subject: 'lower' }, middle)
    const end = certify(NOW, { subject: 'end', extensions: [] }, lower).certificate
    expect(findIssuer(end, [r], [lower.certificate, m])).toBe(lower.certificate)
    expect(findIssuer(end, [r], [lower.certificate])).toBeUndefined()
  })

  test('is within its dates from the first to the last moment', () => {
    expect(isWithinDates(m, m.notBefore)).toBe(true)
    expect(isWithinDates(m, m.notAfter)).toBe(true)
    expect(isWithinDates(m, new Date(m.notBefore.getTime() - 1))).toBe(false)
    expect(isWithinDates(m, new Date(m.notAfter.getTime() + 1))).toBe(false)
  })

  test('at the head of a chain is told by what it issued further down, itself left aside', () => {
    expect(issuedByFirst(m, [r, l])).toBe(l)
    expect(issuedByFirst(r, [r, l])).toBeUndefined()
    expect(issuedByFirst(l, [m, r])).toBeUndefined()
    const noAuthority = certify(NOW, { subject: 'no authority', extensions: [] })
    const issued = certify(NOW, { subject: 'issued' }, noAuthority).certificate
    expect(issuedByFirst(noAuthority.certificate, [issued])).toBeUndefined()
  })

  test('with the right key is none under another name, or where its key usage lacks keyCertSign', () => {
    const { pair } = middle
    const [renamed, unable] = [
      certify(NOW, { subject: 'other', pair }),
      certify(NOW, { subject: 'middle', pair, extensions: [DIGITAL_SIGNATURE] }),
    ].map(({ certificate }) => certificate)
    expect(renamed && objectionToIssuer(l, renamed)).toBe('its issuer is CN=middle, not CN=other')
    expect(unable && objectionToIssuer(l, unable)).toBe("the issuer's key usage lacks keyCertSign")
    expect(objectionToIssuer(l, m)).toBeUndefined()
  })

  test('with the right name and another key is none', () => {
    expect(findIssuer(l, [certify(NOW, { subject: 'middle' }).certificate])).toBeUndefined()
  })

  test('is not found in a circle', () => {
    const a = certify(NOW, { subject: 'a' })
    const b = certify(NOW, { subject: 'b' }, a)
    const again = certify(NOW, { subject: 'a', pair: a.pair }, b)
    expect(findIssuer(b.certificate, [r], [again.certificate, b.certificate])).toBeUndefined()
  })
})

describe('PEM and DER are told by content', () => {
  const { der } = leaf.certificate

  test('one certificate in DER, one or a chain in PEM, with text around it', () => {
    const chain = `subject=leaf\n${pem(der)}\nissuer\r\n${pem(middle.certificate.der).replaceAll('\n', '\r\n')}`
    expect(parseCertificates(der)[0].der).toEqual(der)
    expect(parseCertificates(Buffer.from(chain)).map((each) => Buffer.from(each.der))).toEqual([
      der,
      middle.certificate.der,
    ])
  })

  test('a text that begins with the digit that is also the octet of a SEQUENCE is still PEM', () => {
    const text = Buffer.from(`0 s:CN = leaf\n${pem(der)}`)
    expect(looksLikeDer(text)).toBe(false)
    expect(parseCertificates(text)).toHaveLength(1)
    expect(looksLikeDer(Buffer.from('0'))).toBe(false)
    expect(looksLikeDer(der)).toBe(true)
    expect(looksLikeDer(Buffer.of(0x30, 0))).toBe(true)
  })

  test('a text with a byte-order mark is still PEM', () => {
    const text = Buffer.from(`\ufeff${pem(der)}`)
    expect(looksLikeDer(text)).toBe(false)
    expect(parseCertificates(text)).toHaveLength(1)
  })

  test('one block that cannot be read keeps none of the others', () => {
    const { certificates, troubles } = readCertificates([der, Buffer.from('hello'), middle.certificate.der])
    expect(certificates.map(({ subject }) => describeName(subject))).toEqual(['CN=leaf', 'CN=middle'])
    expect(troubles.map(({ code }) => code)).toEqual(['certificate-malformed'])
    const fault = new TypeError('a fault of ours')
    const parse = () => {
      throw fault
    }
    expect(() => readCertificates([der], parse)).toThrow(fault)
  })

  test('a private key beside it is left alone', () => {
    expect(parseCertificates(Buffer.from(`${pem(Buffer.of(1), 'PRIVATE KEY')}${pem(der)}`))).toHaveLength(1)
    expect(decodePem(pem(Buffer.of(1), 'PRIVATE KEY'), ['CERTIFICATE'])).toEqual([])
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('hello')],
    ['a cut certificate', Buffer.from(der).subarray(0, 100)],
    ['trailing bytes', Buffer.concat([der, Buffer.of(0)])],
    ['a PEM block of something else', Buffer.from(pem(Buffer.from('hello')))],
  ])('%s is refused with its code', (_, bytes) => {
    expect(() => parseCertificates(bytes)).toThrow(/^certificate-malformed/)
  })

  test('two signature algorithms in one certificate are refused', () => {
    const other = Buffer.from(der)
    const oid = encodeOid('1.2.840.10045.4.3.2')
    other[other.lastIndexOf(oid) + oid.length - 1] = 3
    expect(() => parseCertificate(other)).toThrow(/^certificate-malformed.*two that differ/)
  })
})
