import { afterAll, describe, expect, test } from 'vitest'

import { type Certificate, parseCertificate } from '../../lambda/ocsp/certificate.ts'
import { encodeExplicit, encodeOctets } from '../../lambda/ocsp/der-writer.ts'
import { prepareSubject } from '../../lambda/ocsp/subject.ts'
import { validateResponse } from '../../lambda/ocsp/validation.ts'
import type { Rule } from '../../lambda/ocsp/verdict.ts'
import {
  certify,
  DIGITAL_SIGNATURE,
  ecPair,
  NO_CHECK,
  OCSP_SIGNING,
  type Party,
  purposes,
  type ResponseSpec,
  respond,
} from './forge.ts'
import { broken, NOW } from './groups.ts'
import { Bench, opensslVerdict, pem } from './openssl.ts'

// The kinds of fault that OpenSSL's own test set has, in the same six settings, made anew: what a clone can run.

const root = certify(NOW, { subject: 'root', serial: Buffer.of(1) })
const middle = certify(NOW, { subject: 'intermediate', serial: Buffer.of(2) }, root)
const leafOf = (issuer: Party) =>
  certify(NOW, { subject: 'leaf', serial: Buffer.of(3), extensions: [] }, issuer).certificate

const CHAINS: readonly (readonly [what: string, issuer: Party, about: Certificate])[] = [
  ['intermediate to leaf', middle, leafOf(middle)],
  ['root to intermediate', root, middle.certificate],
  ['root to leaf', root, leafOf(root)],
]

/** One setting: who is asked about, who issued it, and who signs. */
interface Setting {
  readonly issuer: Party
  readonly about: Certificate
  readonly signer: Party
}

interface Fault {
  readonly what: string
  /** None: sound, for the issuer's own signature is not judged here. */
  readonly rule?: Rule
  readonly delegatedOnly?: true
  readonly response?: (setting: Setting) => ResponseSpec
  /** The issuer that the verifier is given in place of the true one. */
  readonly given?: (issuer: Party) => Certificate
}

const withLastOctet = (der: Uint8Array, turn: number) => {
  const bent = Buffer.from(der)
  bent.writeUInt8(bent.readUInt8(bent.length - 1) ^ turn, bent.length - 1)
  return bent
}
const remade = ({ pair }: Party, spec: Parameters<typeof certify>[1]) =>
  certify(NOW, { serial: Buffer.of(1), pair, ...spec }).certificate
const delegated = { subject: 'responder', serial: Buffer.of(4) }
const uses = [purposes(OCSP_SIGNING), NO_CHECK, DIGITAL_SIGNATURE]

const FAULTS: readonly Fault[] = [
  { what: 'sound' },
  {
    what: 'an invalid signature on the response',
    rule: 'V8',
    response: ({ signer }) => ({
      signatureOver: (data) => withLastOctet(signer.scheme.sign(data, signer.pair.privateKey), 1),
    }),
  },
  {
    what: 'a wrong responder ID',
    rule: 'V6',
    response: () => ({ responder: encodeExplicit(2, encodeOctets(Buffer.alloc(20, 9))) }),
  },
  {
    what: 'a wrong issuer name hash',
    rule: 'V4',
    response: () => ({ singles: [{ issuerNameHash: Buffer.alloc(20, 9) }] }),
  },
  {
    what: 'a wrong issuer key hash',
    rule: 'V4',
    response: () => ({ singles: [{ issuerKeyHash: Buffer.alloc(20, 9) }] }),
  },
  {
    what: "a wrong key in the delegate's certificate",
    rule: 'V6',
    delegatedOnly: true,
    response: ({ issuer }) => {
      const other = certify(NOW, { ...delegated, extensions: uses, pair: ecPair('prime256v1') }, issuer)
      return { certificates: [other.certificate.der] }
    },
  },
  {
    what: "an invalid signature on the delegate's certificate",
    rule: 'V6',
    delegatedOnly: true,
    response: ({ signer }) => ({ certificates: [withLastOctet(signer.certificate.der, 1)] }),
  },
  {
    what: "a wrong name in the issuer's certificate",
    rule: 'V16',
    // By key, the openssl command would not look at the name.
    response: () => ({ responder: 'name' }),
    given: (issuer) => remade(issuer, { subject: 'another subject' }),
  },
  {
    what: "a wrong key in the issuer's certificate",
    rule: 'V16',
    given: ({ certificate }) =>
      certify(NOW, { subject: certificate === root.certificate ? 'root' : 'intermediate' }).certificate,
  },
  {
    what: "an invalid signature on the issuer's certificate",
    given: ({ certificate }) => parseCertificate(withLastOctet(certificate.der, 1)),
  },
]

const bench = new Bench()
afterAll(() => bench.remove())

describe.each(CHAINS)('%s', (_, issuer, about) => {
  const delegate = certify(NOW, { ...delegated, extensions: uses }, issuer)
  const cases = FAULTS.flatMap((fault) =>
    (fault.delegatedOnly ? [delegate] : [issuer, delegate]).map((signer) => {
      const by = signer === issuer ? 'the issuer' : 'a delegate'
      return [fault.what, by, fault, signer] as const
    }),
  )

  test.each(cases)('%s, by %s: judged as OpenSSL does', async (what, _, fault, signer) => {
    const { rule, response = () => ({}), given = (party: Party) => party.certificate } = fault
    const bytes = respond(NOW, about, issuer.certificate, signer, response({ issuer, about, signer }))
    const anchor = given(issuer)
    const verdict = validateResponse(bytes, prepareSubject(about, anchor), { now: NOW })
    expect(verdict.verdict, what).toBe(rule === undefined ? 'good' : 'refused')
    if (rule !== undefined) expect(broken(verdict), what).toContain(rule)
    bench.file('about.pem', pem(about.der))
    bench.file('issuer.pem', pem(anchor.der))
    const theirs = await opensslVerdict(bench, bytes, 'about.pem', 'issuer.pem')
    expect(theirs.verdict, theirs.said).toBe(verdict.verdict)
  })
})
