import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { Certificate } from '../../lambda/ocsp/certificate.ts'
import { parseCertificates } from '../../lambda/ocsp/pem.ts'
import { serialiseRequest } from '../../lambda/ocsp/request.ts'
import { prepareSubject } from '../../lambda/ocsp/subject.ts'
import { validateResponse } from '../../lambda/ocsp/validation.ts'
import { brokenRules } from '../../lambda/ocsp/verdict.ts'
import { Bench, opensslVerdict } from './openssl.ts'

/** Everything here is made by the openssl command: authorities, delegates, requests and responses. */
const ALGORITHMS: Record<string, { key: string[]; sign?: string[]; respond?: string[] }> = {
  'RSA 2048': { key: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'] },
  'RSA 4096': { key: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:4096'] },
  'RSA-PSS': {
    key: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
    sign: ['-sigopt', 'rsa_padding_mode:pss'],
    respond: ['-rsigopt', 'rsa_padding_mode:pss'],
  },
  'P-256': { key: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'] },
  'P-384': { key: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'] },
  Ed25519: { key: ['-algorithm', 'ED25519'] },
}

const bench = new Bench()
const LEAF =
  'basicConstraints=CA:FALSE\nauthorityInfoAccess=OCSP;URI:http://ocsp.example/\ntlsfeature=status_request\n'
const DELEGATE = 'keyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning\nnoCheck=ignored\n'

beforeAll(async () => {
  bench.file('leaf.ext', LEAF)
  bench.file('delegate.ext', DELEGATE)
  await bench.openssl(
    'genpkey',
    '-algorithm',
    'EC',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-out',
    'leaf.key',
  )
  await bench.openssl('req', '-new', '-key', 'leaf.key', '-subj', '/CN=leaf', '-out', 'leaf.csr')
  await Promise.all(Object.keys(ALGORITHMS).map((name, at) => authority(`a${at}`, ALGORITHMS[name] as never)))
}, 60_000)
afterAll(() => bench.remove())

async function authority(id: string, { key, sign = [] }: (typeof ALGORITHMS)[string]) {
  await Promise.all(
    ['ca', 'delegate'].map((who) => bench.openssl('genpkey', ...key, '-out', `${id}.${who}.key`)),
  )
  const self = [
    'req',
    '-x509',
    '-new',
    '-key',
    `${id}.ca.key`,
    '-subj',
    `/O=Test/CN=CA ${id}`,
    '-days',
    '30',
    ...sign,
  ]
  await bench.openssl(...self, '-out', `${id}.ca.pem`)
  await bench.openssl(
    'req',
    '-new',
    '-key',
    `${id}.delegate.key`,
    '-subj',
    `/CN=delegate ${id}`,
    '-out',
    `${id}.csr`,
  )
  const by = ['-CA', `${id}.ca.pem`, '-CAkey', `${id}.ca.key`, '-days', '20', ...sign]
  const issue = (request: string, extensions: string, serial: string, out: string) =>
    bench.openssl(
      'x509',
      '-req',
      '-in',
      request,
      ...by,
      '-set_serial',
      serial,
      '-extfile',
      extensions,
      '-out',
      out,
    )
  await issue('leaf.csr', 'leaf.ext', '0x8112233445566778899aabbccddeeff0', `${id}.leaf.pem`)
  await issue(`${id}.csr`, 'delegate.ext', '2', `${id}.delegate.pem`)
  bench.file(`${id}.index`, 'V\t351231235959Z\t\t8112233445566778899AABBCCDDEEFF0\tunknown\t/CN=leaf\n')
}

const one = (file: string): Certificate => parseCertificates(readFileSync(bench.file(file)))[0]

async function produce(id: string, signer: string, flags: string[], hash: string): Promise<Buffer> {
  const who = ['-rsigner', `${id}.${signer}.pem`, '-rkey', `${id}.${signer}.key`, ...flags]
  const about = ['-issuer', `${id}.ca.pem`, `-${hash}`, '-cert', `${id}.leaf.pem`, '-no_nonce']
  const base = ['ocsp', '-index', `${id}.index`, '-CA', `${id}.ca.pem`, '-ndays', '7']
  const out = `${id}-${signer}-${flags.length}-${hash}.der`
  const said = await bench.openssl(...base, ...who, ...about, '-respout', out)
  try {
    return readFileSync(bench.file(out))
  } catch {
    throw new Error(said)
  }
}

describe.each(Object.keys(ALGORITHMS).map((name, at) => ({ name, id: `a${at}` })))(
  '$name',
  ({ name, id }) => {
    describe.each(['ca', 'delegate'])('signed by the %s', (signer) => {
      test.each([
        ['name', 'sha1'],
        ['name', 'sha256'],
        ['key', 'sha1'],
        ['key', 'sha256'],
      ] as const)('by %s, %s CertID: good, as OpenSSL says', async (by, hash) => {
        const flags = [...(ALGORITHMS[name]?.respond ?? []), ...(by === 'key' ? ['-resp_key_id'] : [])]
        const response = await produce(id, signer, flags, hash)
        const subject = prepareSubject(one(`${id}.leaf.pem`), one(`${id}.ca.pem`))
        const verdict = validateResponse(response, subject, { now: new Date() })
        expect(brokenRules(verdict)).toEqual([])
        expect(verdict).toMatchObject({ verdict: 'good', singles: 1, certIdHash: hash })
        expect(verdict.signer?.kind).toBe(signer === 'ca' ? 'issuer' : 'delegate')
        const theirs = await opensslVerdict(bench, response, `${id}.leaf.pem`, `${id}.ca.pem`, { hash })
        expect(theirs.verdict).toBe('good')
      })
    })

    test('with one bit of the signature turned: refused, as OpenSSL says', async () => {
      const flags = [...(ALGORITHMS[name]?.respond ?? []), '-resp_no_certs']
      const response = await produce(id, 'ca', flags, 'sha1')
      // Without certificates behind it the signature comes last.
      response.writeUInt8(response.readUInt8(response.length - 1) ^ 1, response.length - 1)
      const subject = prepareSubject(one(`${id}.leaf.pem`), one(`${id}.ca.pem`))
      const verdict = validateResponse(response, subject, { now: new Date() })
      expect(brokenRules(verdict).map(({ rule }) => rule)).toEqual(['V8'])
      const theirs = await opensslVerdict(bench, response, `${id}.leaf.pem`, `${id}.ca.pem`)
      expect(theirs.verdict).toBe('refused')
    })

    test.each(['sha1', 'sha256'] as const)(
      'our %s request is the one that OpenSSL writes, byte for byte',
      async (hash) => {
        const about = ['-issuer', `${id}.ca.pem`, `-${hash}`, '-cert', `${id}.leaf.pem`]
        await bench.openssl('ocsp', ...about, '-no_nonce', '-reqout', `${id}-${hash}.req`)
        const subject = prepareSubject(one(`${id}.leaf.pem`), one(`${id}.ca.pem`))
        expect(serialiseRequest(subject, hash)).toEqual(readFileSync(bench.file(`${id}-${hash}.req`)))
      },
    )
  },
)

test('a certificate names its responder, and says that it must be stapled', () => {
  expect(one('a0.leaf.pem')).toMatchObject({
    ocspUrls: ['http://ocsp.example/'],
    mustStaple: true,
    noCheck: false,
  })
  expect(one('a0.delegate.pem')).toMatchObject({ ocspUrls: [], mustStaple: false, noCheck: true })
})
