import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A throwaway certificate authority and the one certificate that the whole fleet presents. */
export interface Pki {
  /** PEM of the authority, for the clients. */
  readonly authority: string
  readonly serverName: string
  /** Certificate, then private key, in one file: HAProxy's way. */
  readonly bundle: string
  readonly certificate: string
  readonly privateKey: string
}

export const SERVER_NAME = 'www.example.com'

/** Makes both by the openssl command. Their private keys are in `directory` for the time of the run. */
export function makePki(directory: string): Pki {
  const at = (name: string) => join(directory, name)
  const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: directory, stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const authority = ['-subj', '/CN=ticketring rehearsal CA', '-addext', 'basicConstraints=critical,CA:TRUE']
  openssl('req', '-x509', ...key, '-days', '2', ...authority, '-keyout', 'ca.key', '-out', 'ca.pem')
  openssl('req', ...key, '-subj', `/CN=${SERVER_NAME}`, '-keyout', 'server.key', '-out', 'server.csr')
  writeFileSync(at('server.ext'), `subjectAltName=DNS:${SERVER_NAME}\nextendedKeyUsage=serverAuth\n`)
  const issuer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'server.ext']
  openssl('x509', '-req', '-in', 'server.csr', ...issuer, '-days', '2', '-out', 'server.pem')
  writeFileSync(
    at('bundle.pem'),
    readFileSync(at('server.pem'), 'utf8') + readFileSync(at('server.key'), 'utf8'),
    {
      mode: 0o600,
    },
  )
  return {
    authority: readFileSync(at('ca.pem'), 'utf8'),
    serverName: SERVER_NAME,
    bundle: at('bundle.pem'),
    certificate: at('server.pem'),
    privateKey: at('server.key'),
  }
}
