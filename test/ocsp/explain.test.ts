import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { afterAll, describe, expect, test } from 'vitest'

import { certify, respond, revoked, SCHEMES } from './forge.ts'
import { makeOddCertificates } from './odd-certificates.ts'
import { Bench, pem } from './openssl.ts'

const PROJECT = join(import.meta.dirname, '../..')
const NOW = new Date('2020-05-05T12:00:00Z')
const AT = NOW.toISOString()

const root = certify(NOW, { subject: 'root' })
const issuer = certify(NOW, { subject: 'CA' }, root)
const leaf = certify(NOW, { subject: 'leaf', extensions: [] }, issuer).certificate
const bench = new Bench()
afterAll(() => bench.remove())

const answer = (spec = {}) => respond(NOW, leaf, issuer.certificate, issuer, spec)
const good = bench.file('good.der', answer())
const files = {
  leaf: bench.file('leaf.pem', pem(leaf.der)),
  issuer: bench.file('issuer.pem', pem(issuer.certificate.der)),
}

const SOURCE = join(PROJECT, 'local/explain.ts')
const bundle = bench.file('explain.mjs')
buildSync({ entryPoints: [SOURCE], bundle: true, platform: 'node', format: 'esm', outfile: bundle })

/** The command bundled once: loading its TypeScript takes far longer than what it does. */
const explain = (...args: string[]) => run([bundle, ...args])

function run(words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: PROJECT, encoding: 'utf8' })
  return { status, stdout, stderr, answer: stdout.startsWith('{') ? JSON.parse(stdout) : undefined }
}
const about = ['--certificate', files.leaf, '--issuer', files.issuer, '--at', AT]

describe('explain', () => {
  test('says good, with every rule and the end, and exits 0', () => {
    const { status, answer, stderr } = explain('--response', good, ...about)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(answer).toMatchObject({ verdict: 'good', effectiveEnd: '2020-05-06T12:00:00.000Z' })
    expect(answer.rules.map(({ rule }: { rule: string }) => rule)).toHaveLength(17)
    expect(answer.rules[5]).toEqual({ rule: 'V6', ok: true, detail: 'issuer CN=CA' })
  })

  test('has an answer or a sentence for odd certificates, and never a stack', async () => {
    const odd = await makeOddCertificates(bench)
    for (const what of ['an empty subject', 'a serial of zero', 'a curve spelt out', 'an Ed448 key']) {
      const file = bench.file(`${what}.der`, odd.get(what) ?? '')
      const sent = bench.file(`${what}.response`, answer({ certificates: [odd.get(what) ?? Buffer.of(0)] }))
      for (const args of [
        ['--response', good, '--certificate', file, '--issuer', files.issuer],
        ['--response', sent, '--certificate', files.leaf, '--issuer', file],
      ]) {
        const { status, stderr } = explain(...args, '--at', AT)
        expect(status, what).toBe(1)
        expect(stderr, what).toBe('')
      }
    }
  })

  test('says that a chain is upside down', () => {
    const chain = bench.file('down.pem', `${pem(issuer.certificate.der)}${pem(leaf.der)}`)
    const { status, stderr } = explain('--response', good, '--certificate', chain, '--at', AT)
    expect(status).toBe(2)
    expect(stderr).toBe(
      'explain: the chain of --certificate is upside down: CN=CA comes first, and issued CN=leaf after it\n',
    )
  })

  test('exits 1 for revoked, and for bytes that are no response at all', () => {
    const bad = bench.file('revoked.der', answer({ singles: [{ status: revoked(NOW) }] }))
    expect(explain('--response', bad, ...about)).toMatchObject({ status: 1, answer: { verdict: 'revoked' } })
    const none = explain('--response', bench.file('none.der', 'hello'), ...about)
    expect(none).toMatchObject({ status: 1, answer: { verdict: 'refused', effectiveEnd: null } })
    expect(none.answer.rules[1]).toMatchObject({ rule: 'V2', ok: false })
  })

  test('judges as of now unless told otherwise', () => {
    const { status, answer } = explain('--response', good, ...about.slice(0, 4))
    expect({ status, V12: answer.rules[11].detail }).toEqual({
      status: 1,
      V12: 'stale since 2020-05-06T12:00:00.000Z',
    })
  })

  test('takes PEM for DER and DER for PEM, and a chain in place of the issuer', () => {
    const chain = bench.file('chain.pem', `${pem(leaf.der)}${pem(issuer.certificate.der)}`)
    const response = bench.file('good.pem', pem(answer(), 'OCSP RESPONSE'))
    expect(explain('--response', response, '--certificate', chain, '--at', AT).status).toBe(0)
    const all = `${pem(answer(), 'OCSP RESPONSE')}${pem(issuer.certificate.der, 'CA CERTIFICATE')}${pem(leaf.der)}`
    const one = bench.file('all.pem', all)
    expect(explain('--response', one, '--certificate', one, '--issuer', one, '--at', AT).status).toBe(0)
    const ca = bench.file('root.der', root.certificate.der)
    expect(explain('--response', good, '--certificate', chain, '--issuer', ca, '--at', AT).status).toBe(0)
  })

  test('takes SHA-1 signatures and responses without an end only when told to', () => {
    const scheme = { ...SCHEMES.rsaSha1, algorithm: Buffer.from('300906072a8648ce3d0401', 'hex') }
    const old = bench.file('old.der', answer({ scheme, singles: [{ nextUpdate: 'none' }] }))
    expect(explain('--response', old, ...about).status).toBe(1)
    expect(explain('--response', old, ...about, '--allow-sha1').status).toBe(1)
    const both = explain('--response', old, ...about, '--allow-sha1', '--max-age', '7d')
    expect(both.stderr).toBe('')
    expect(both).toMatchObject({ status: 0, answer: { effectiveEnd: '2020-05-12T11:00:00.000Z' } })
  })

  test('--help names every option', () => {
    const { status, stdout } = run(['--import', 'tsx', SOURCE, '--help'])
    expect(status).toBe(0)
    for (const option of ['--response', '--certificate', '--issuer', '--at', '--allow-sha1', '--max-age']) {
      expect(stdout).toContain(option)
    }
  })

  test.each([
    ['no response', about, /--response FILE is missing/],
    ['a file that is not there', ['--response', '/nowhere', ...about], /\/nowhere cannot be read: ENOENT/],
    [
      'a certificate that is none',
      ['--response', good, '--certificate', good, '--issuer', files.issuer],
      /good\.der: wanted/,
    ],
    ['no issuer', ['--response', good, '--certificate', files.leaf], /--issuer is missing/],
    ['a time that is none', ['--response', good, ...about, '--at', 'tomorrow'], /--at wants a time/],
    ['an age that is none', ['--response', good, ...about, '--max-age', '7 days'], /--max-age wants an age/],
    ['an option that is none', ['--respnse', good, ...about], /--respnse.*--help explains/s],
  ])('%s is a faulty question: exit 2, a sentence, no verdict', (_, args, sentence) => {
    const { status, stdout, stderr } = explain(...args)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(sentence)
    expect(stderr).not.toMatch(/\n\s+at /)
  })
})
