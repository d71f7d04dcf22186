import { constants, sign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { TAG } from '../../lambda/ocsp/der-element.ts'
import {
  encode,
  encodeExplicit,
  encodeOctets,
  encodeOid,
  encodeSequence,
} from '../../lambda/ocsp/der-writer.ts'
import { brokenRules } from '../../lambda/ocsp/verdict.ts'
import { byDelegate } from './cases.ts'
import {
  certify,
  extension,
  integer,
  NULL,
  OCSP_SIGNING,
  purposes,
  rsaPair,
  SCHEMES,
  type Scheme,
  SHA256,
} from './forge.ts'
import { at, broken, build, byDelegateWith, group, judge, NOW, P256, RSA, STRANGER } from './groups.ts'

describe('of several certificates that bear the name of the responder', () => {
  const twins = [byDelegateWith({}), byDelegateWith({ serial: Buffer.of(4) })].map((make) => make(P256))

  test('the one whose key verifies the response is the signer, wherever it stands', () => {
    for (const signer of twins) {
      const certificates = twins.map(({ certificate }) => certificate.der)
      const response = build(P256, { signer: () => signer, spec: { responder: 'name', certificates } })
      expect(judge(P256, response)).toMatchObject({ verdict: 'good', signer: { kind: 'delegate' } })
    }
  })

  test('none is the signer where the key of none does', () => {
    const certificates = twins.map(({ certificate }) => certificate.der)
    const stranger = byDelegateWith({ serial: Buffer.of(5) })
    const response = build(P256, { signer: stranger, spec: { responder: 'name', certificates } })
    expect(broken(judge(P256, response))).toEqual(['V8'])
  })
})

describe('a delegate', () => {
  const dated = (dates: Parameters<typeof certify>[1]) =>
    broken(judge(P256, build(P256, { signer: byDelegateWith(dates) })))

  test('may sign from its first to its last second, the first as the skew allows', () => {
    expect(dated({ from: at(300 / 3600) })).toEqual([])
    expect(dated({ from: at(301 / 3600) })).toEqual(['V6'])
    expect(dated({ to: at(0) })).not.toContain('V6')
    expect(dated({ to: at(-1 / 3600) })).toEqual(['V6'])
  })

  test('is looked for among the first 16 certificates', () => {
    const behind = (others: number) => {
      const certificates = [...Array(others).fill(STRANGER.leaf.der), P256.delegate.certificate.der]
      return broken(judge(P256, build(P256, { signer: byDelegate, spec: { certificates } })))
    }
    expect(behind(15)).toEqual([])
    expect(behind(16)).toEqual(['V6'])
  })

  test('without any purpose may not sign', () => {
    expect(dated({ extensions: [] })).toEqual(['V6'])
    expect(dated({ extensions: [purposes(OCSP_SIGNING)] })).toEqual([])
  })

  test('that is refused is told with its reason, of many four', () => {
    const refused = (count: number) => {
      const certificates = Array.from(
        { length: count },
        (_, n) => certify(NOW, { subject: 'CA', serial: Buffer.of(n + 1), extensions: [] }).certificate.der,
      )
      const response = build(P256, {
        signer: () => P256.sibling,
        spec: { responder: NAMED_CA, certificates },
      })
      return brokenRules(judge(P256, response))[0]?.detail
    }
    expect(refused(1)).toBe('CN=CA: its extended key usage lacks OCSPSigning')
    expect(refused(6)?.split('; ')).toHaveLength(4)
    expect(refused(0)).toMatch(/^the responder's name is neither the issuer's nor that of a certificate/)
  })
})

const NAMED_CA = encodeExplicit(1, certify(NOW, { subject: 'CA' }).certificate.subject.der as Buffer)

describe('an algorithm', () => {
  const signedWith = (scheme: Scheme) => judge(RSA, build(RSA, { spec: { scheme } }))
  const withParameters = (...parameters: Buffer[]): Scheme => ({
    ...SCHEMES.rsa,
    algorithm: encodeSequence(encodeOid('1.2.840.113549.1.1.11'), ...parameters),
  })

  test('of RSA has no parameters or NULL, and no others', () => {
    expect(broken(signedWith(withParameters()))).toEqual([])
    expect(broken(signedWith(withParameters(NULL)))).toEqual([])
    for (const other of [encodeSequence(), integer(1), encodeOctets(Buffer.alloc(8))])
      expect(broken(signedWith(withParameters(other)))).toEqual(['V8'])
  })

  test('of PSS masks with MGF1 and its own hash, and its trailer is 1', () => {
    const sha256 = encodeSequence(encodeOid(SHA256), NULL)
    const with256 = (mask: Buffer, ...rest: Buffer[]): Scheme => ({
      algorithm: encodeSequence(
        encodeOid('1.2.840.113549.1.1.10'),
        encodeSequence(
          encodeExplicit(0, sha256),
          encodeExplicit(1, mask),
          encodeExplicit(2, integer(32)),
          ...rest,
        ),
      ),
      sign: (data, key) =>
        sign('sha256', data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
    })
    const mask = (oid: string, ...parameters: Buffer[]) => encodeSequence(encodeOid(oid), ...parameters)
    const mgf1 = mask('1.2.840.113549.1.1.8', sha256)
    expect(signedWith(with256(mgf1)).outcomes[7]?.detail).toBe('RSA-PSS with SHA-256')
    expect(broken(signedWith(with256(mgf1, encodeExplicit(3, integer(1)))))).toEqual([])
    expect(broken(signedWith(with256(mgf1, encodeExplicit(3, integer(2)))))).toEqual(['V8'])
    expect(broken(signedWith(with256(mask('1.2.840.113549.1.1.9', sha256))))).toEqual(['V8'])
    expect(broken(signedWith(with256(mask('1.2.840.113549.1.1.8'))))).toEqual(['V8'])
  })

  test('whose parameters cannot be read verifies nothing', () => {
    const algorithm = encodeSequence(encodeOid('1.2.840.113549.1.1.10'), encode(TAG.integer, Buffer.of(1)))
    const verdict = signedWith({ ...SCHEMES.pss, algorithm })
    expect(broken(verdict)).toEqual(['V8'])
    expect(verdict.outcomes[7]?.detail).toMatch(/^the signature cannot be checked/)
  })

  test('of RSA goes with a key of 1,024 bits', () => {
    const pair = rsaPair(1024)
    const from = group('short', pair, SCHEMES.rsa, pair)
    expect(broken(judge(from, build(from, {})))).toEqual([])
  })
})

describe('an extension that is critical', () => {
  test('and unknown to us keeps a delegate from signing', () => {
    const extensions = [purposes(OCSP_SIGNING), extension('1.3.9', NULL, true)]
    expect(broken(judge(P256, build(P256, { signer: byDelegateWith({ extensions }) })))).toEqual(['V6'])
  })
})
