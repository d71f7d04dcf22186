import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseCertificates } from '../../lambda/ocsp/pem.ts'
import { certificateIdOf } from '../../lambda/staples/entry.ts'

const openssl = (input: string | Buffer, ...args: string[]) =>
  execFileSync('openssl', args, { input, stdio: ['pipe', 'pipe', 'ignore'] })

/** As a machine finds it, with nothing but OpenSSL. */
function idByOpenssl(pem: string): string {
  const key = openssl(openssl(pem, 'x509', '-pubkey', '-noout'), 'pkey', '-pubin', '-outform', 'DER')
  const serial = openssl(pem, 'x509', '-serial', '-noout')
    .toString()
    .trim()
    .replace('serial=', '')
    .replace(/^(00)+/, '')
  return createHash('sha256').update(key).update(Buffer.from(serial, 'hex')).digest('hex').slice(0, 32)
}

describe("a certificate's id", () => {
  it.each([
    ['RSA', ['-newkey', 'rsa:2048'], '0x1'],
    ['P-256', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], '0xF00D'],
    ['P-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], '0x80000000000000000000000000000001'],
    ['Ed25519', ['-newkey', 'ed25519'], '0x0A0B'],
    ['RSA-PSS', ['-newkey', 'rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048'], '0x7F'],
  ])('of a %s key is what OpenSSL on a machine makes of it', (_, key, serial) => {
    const args = [
      'req',
      '-x509',
      '-nodes',
      '-keyout',
      '/dev/null',
      '-subj',
      '/CN=x',
      '-set_serial',
      serial,
      ...key,
    ]
    const pem = openssl('', ...args).toString()
    expect(certificateIdOf(parseCertificates(Buffer.from(pem))[0])).toBe(idByOpenssl(pem))
  })
})
