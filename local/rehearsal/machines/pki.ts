import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A certificate of the fleet, as its owner knows it. */
interface CertificatePlan {
  readonly name: string
  readonly serverName: string
  /** What the owner wants once it is revoked. */
  readonly revoked: 'staple' | 'withhold'
}

const SERVER_NAME = 'www.example.com'

/**
 * The first is the one that ring clients ask for. The others are revoked in a rehearsal, one for each choice that an owner
 * has. Every machine presents all of them.
 */
export const PLANS: readonly CertificatePlan[] = [
  { name: 'www', serverName: SERVER_NAME, revoked: 'staple' },
  { name: 'shop', serverName: 'shop.example.com', revoked: 'staple' },
  { name: 'lab', serverName: 'lab.example.com', revoked: 'withhold' },
]

/** Files of a certificate. */
export interface Issued {
  /** The certificate, then its issuer. */
  readonly certificate: string
  readonly privateKey: string
  /** All of these: HAProxy's way. */
  readonly bundle: string
}

export interface ServerCertificate extends CertificatePlan, Issued {}

/** Files that an OCSP responder answers from. */
export interface ResponderFiles {
  readonly index: string
  /** The issuer of the certificates that it answers for. */
  readonly issuer: string
  /** Its own certificate and key: a delegate of the issuer. */
  readonly signer: string
  readonly signerKey: string
}

/** A throwaway root, its issuing authority, and the certificates that the fleet presents. */
export interface Pki extends Pick<ServerCertificate, 'serverName' | 'certificate' | 'privateKey' | 'bundle'> {
  /** PEM of the root, for the clients, and its file. */
  readonly authority: string
  readonly root: string
  /** Those of the first are this object's own. */
  readonly certificates: readonly ServerCertificate[]
  readonly responder: ResponderFiles
  /** One more certificate, for these names; the same for the same names. */
  issue(names: readonly string[]): Issued
  /** Revokes a certificate in the issuer's index: a responder that starts from now on says so. */
  revoke(name: string): void
}

/**
 * Makes all of them by the openssl command. Their private keys are in `directory` for the time of the run.
 * @param url of the OCSP responder that the certificates name; without it they name none.
 */
export function makePki(directory: string, url?: string): Pki {
  const ca = new Authority(join(directory, 'pki'))
  const access = url === undefined ? [] : [`authorityInfoAccess=OCSP;URI:${url}`]
  const certificates = PLANS.map((plan) => {
    const names = [`subjectAltName=DNS:${plan.serverName}`, 'extendedKeyUsage=serverAuth', ...access]
    return { ...plan, ...ca.issue(plan.name, plan.serverName, names) }
  })
  const nocheck = ['extendedKeyUsage=OCSPSigning', 'keyUsage=critical,digitalSignature', 'noCheck=ignored']
  const signer = ca.issue('signer', 'ticketring rehearsal OCSP', nocheck)
  const { serverName, certificate, privateKey, bundle } = certificates[0] as ServerCertificate
  return {
    authority: readFileSync(ca.at('root.pem'), 'utf8'),
    root: ca.at('root.pem'),
    serverName,
    certificate,
    privateKey,
    bundle,
    certificates,
    responder: {
      index: ca.at('index.txt'),
      issuer: ca.at('issuer.pem'),
      signer: ca.at('signer.pem'),
      signerKey: signer.privateKey,
    },
    issue: (names) => ca.issueFor(names),
    revoke: (name) => ca.revoke(name),
  }
}

/** What `openssl ca` reads: it keeps the index that `openssl ocsp` answers from. */
const CONFIGURATION = `[ca]
default_ca = issuing
[issuing]
database = index.txt
new_certs_dir = .
certificate = issuer.pem
private_key = issuer.key
default_md = sha256
default_days = 2
policy = policy
rand_serial = yes
[policy]
commonName = supplied
`

/** A root and the authority below it that issues. */
class Authority {
  readonly #directory: string
  readonly #issued = new Map<string, Issued>()

  constructor(directory: string) {
    this.#directory = directory
    mkdirSync(directory, { mode: 0o700 })
    writeFileSync(this.at('ca.cnf'), CONFIGURATION)
    writeFileSync(this.at('index.txt'), '')
    const root = ['-subj', '/CN=ticketring rehearsal root', '-addext', 'basicConstraints=critical,CA:TRUE']
    this.#openssl(
      'req',
      '-x509',
      ...NEW_KEY,
      '-days',
      '2',
      ...root,
      '-keyout',
      'root.key',
      '-out',
      'root.pem',
    )
    this.#request('issuer', 'ticketring rehearsal CA', [
      'basicConstraints=critical,CA:TRUE,pathlen:0',
      'keyUsage=critical,keyCertSign,cRLSign',
    ])
    const signing = ['-CA', 'root.pem', '-CAkey', 'root.key', '-CAcreateserial', '-extfile', 'issuer.ext']
    this.#openssl('x509', '-req', '-in', 'issuer.csr', ...signing, '-days', '2', '-out', 'issuer.pem')
  }

  at(file: string): string {
    return join(this.#directory, file)
  }

  issueFor(names: readonly string[]): Issued {
    const known = this.#issued.get(names.join())
    if (known !== undefined) return known
    const alternatives = `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`
    // A common name has 64 characters at most (RFC 5280, appendix A.1).
    const subject = `ticketring rehearsal ${this.#issued.size + 1}`
    const issued = this.issue(`own-${this.#issued.size + 1}`, subject, [
      alternatives,
      'extendedKeyUsage=serverAuth',
    ])
    this.#issued.set(names.join(), issued)
    return issued
  }

  issue(name: string, subject: string, extensions: readonly string[]): Issued {
    this.#request(name, subject, extensions)
    const files = ['-in', `${name}.csr`, '-extfile', `${name}.ext`, '-out', `${name}.pem`]
    this.#openssl('ca', '-batch', '-notext', '-config', 'ca.cnf', ...files)
    const chain = this.#join(`${name}.chain.pem`, [`${name}.pem`, 'issuer.pem'])
    const bundle = this.#join(`${name}.bundle.pem`, [`${name}.chain.pem`, `${name}.key`])
    return { certificate: chain, privateKey: this.at(`${name}.key`), bundle }
  }

  revoke(name: string): void {
    this.#openssl('ca', '-config', 'ca.cnf', '-revoke', `${name}.pem`, '-crl_reason', 'keyCompromise')
  }

  #request(name: string, subject: string, extensions: readonly string[]): void {
    writeFileSync(this.at(`${name}.ext`), `${extensions.join('\n')}\n`)
    this.#openssl(
      'req',
      ...NEW_KEY,
      '-subj',
      `/CN=${subject}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    )
  }

  #join(file: string, parts: readonly string[]): string {
    const text = parts.map((part) => readFileSync(this.at(part), 'utf8')).join('')
    writeFileSync(this.at(file), text, { mode: 0o600 })
    return this.at(file)
  }

  #openssl(...words: string[]): void {
    execFileSync('openssl', words, { cwd: this.#directory, stdio: 'pipe' })
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
