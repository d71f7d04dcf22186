import { describe, expect, test } from 'vitest'

import { isRefusal } from '../../lambda/kernel/errors.ts'
import { parseCertificate } from '../../lambda/ocsp/certificate.ts'
import { describeName } from '../../lambda/ocsp/name.ts'
import { parseResponse } from '../../lambda/ocsp/response.ts'
import { findIssuer, prepareSubject } from '../../lambda/ocsp/subject.ts'
import { validateResponse } from '../../lambda/ocsp/validation.ts'
import { bendings, encodeTree, treeOf } from './der-tree.ts'
import {
  certify,
  DIGITAL_SIGNATURE,
  NO_CHECK,
  OCSP_SIGNING,
  type Party,
  purposes,
  type ResponseSpec,
  respond,
} from './forge.ts'

const NOW = new Date('2026-11-21T19:00:00Z')
const issuer = certify(NOW, { subject: 'CA', serial: Buffer.of(1) })
const leaf = certify(NOW, { subject: 'leaf', extensions: [] }, issuer).certificate
const uses = [purposes(OCSP_SIGNING), NO_CHECK, DIGITAL_SIGNATURE]
const delegate = certify(NOW, { subject: 'delegate', serial: Buffer.of(2), extensions: uses }, issuer)
const subject = prepareSubject(leaf, issuer.certificate)
const say = (spec: ResponseSpec = {}, by: Party = delegate) =>
  respond(NOW, leaf, issuer.certificate, by, spec)
const signedPart = (der: Uint8Array) => parseResponse(der).basic?.signed.data

/** The verdict, and that it was come to: what could not be judged at all is a fault of ours that was caught. */
function judge(bytes: Uint8Array, what: string) {
  const verdict = validateResponse(bytes, subject, { now: NOW })
  for (const { detail } of verdict.outcomes) {
    expect(detail, what).not.toMatch(/could not be judged/)
    expect(detail.length, what).toBeLessThan(700)
  }
  return verdict
}

describe('a response of which one element was emptied, doubled, left out or nested', () => {
  test.each(['name', 'key'] as const)(
    'by %s: is judged, and good only if it says what was signed',
    (responder) => {
      const sound = say({ responder })
      let bent = 0
      for (const each of bendings(treeOf(sound))) {
        const bytes = encodeTree(each.bent)
        const { verdict } = judge(bytes, `${each.bend} ${each.path}`)
        if (verdict === 'good')
          expect(signedPart(bytes), `${each.bend} ${each.path}`).toEqual(signedPart(sound))
        bent += 1
      }
      expect(bent).toBeGreaterThan(300)
    },
  )

  test('is judged where the responder itself signed it so', () => {
    const data = signedPart(say({}, issuer)) as Uint8Array
    for (const each of bendings(treeOf(data))) {
      const signed = encodeTree(each.bent)
      const whole = treeOf(
        say({ signatureOver: () => issuer.scheme.sign(signed, issuer.pair.privateKey) }, issuer),
      )
      judge(encodeTree(withData(whole, signed)), `${each.bend} ${each.path}`)
    }
  })
})

type Tree = ReturnType<typeof treeOf>

/** The response with other tbsResponseData: OCSPResponse, [0], responseBytes, response, BasicOCSPResponse. */
function withData(tree: Tree, data: Uint8Array, path: readonly number[] = [1, 0, 1, 0, 0]): Tree {
  const [index, ...rest] = path
  if (index === undefined) return treeOf(data)
  const inner = tree.inner?.map((each, at) => (at === index ? withData(each, data, rest) : each)) ?? []
  return { ...tree, inner }
}

describe('a certificate of which one element was emptied, doubled, left out or nested', () => {
  const bent = [...bendings(treeOf(delegate.certificate.der))].map(({ bend, path, bent }) => ({
    what: `${bend} ${path}`,
    der: encodeTree(bent),
  }))

  test('is read or refused with its code, and whatever is asked of it then has an answer', () => {
    for (const { what, der } of bent) {
      try {
        const certificate = parseCertificate(der)
        expect(describeName(certificate.subject), what).not.toBe('')
        findIssuer(certificate, [issuer.certificate, certificate])
        findIssuer(leaf, [certificate])
        prepareSubject(leaf, certificate)
      } catch (error) {
        expect(isRefusal(error, 'certificate-malformed'), `${what}: ${error}`).toBe(true)
      }
    }
  })

  test('is judged as a certificate sent along, as the signer or beside it', () => {
    for (const { what, der } of bent)
      for (const certificates of [[der], [der, delegate.certificate.der]])
        for (const responder of ['name', 'key'] as const) judge(say({ certificates, responder }), what)
  })

  test('is judged where the authority itself signed it so', () => {
    const tbs = treeOf(delegate.certificate.der).inner?.[0] as Tree
    for (const { bend, path, bent } of bendings(tbs)) {
      const signed = encodeTree(bent)
      const der = signedCertificate(signed)
      judge(say({ certificates: [der] }), `${bend} ${path}`)
      judge(say({ certificates: [der], responder: 'name' }), `${bend} ${path}`)
    }
  })
})

function signedCertificate(tbs: Buffer): Buffer {
  const tree = treeOf(delegate.certificate.der)
  const signature = Buffer.concat([Buffer.of(0), issuer.scheme.sign(tbs, issuer.pair.privateKey)])
  const [, algorithm] = tree.inner as readonly Tree[]
  const bits = { tag: 0x03, prefix: Buffer.alloc(0), content: signature }
  return encodeTree({ ...tree, inner: [treeOf(tbs), algorithm as Tree, bits] })
}
