/** Real H2O, with its three keys in the file that it looks at every ten seconds. */
import { readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { keysOf, type Ring } from '../../lambda/ring/ring.ts'
import type { TicketKey } from '../../lambda/ring/ticket-key.ts'
import type { Identity } from './identity.ts'
import { setUpServer } from './server-setup.ts'
import { takeTicket } from './sessions.ts'
import { type ListenerKind, lifeOf, ServerProcess, type Terminator } from './terminators.ts'

/** A thread of its own reads the keys; until then the others serve under a random one. */
class H2oProcess extends ServerProcess {
  readonly #configuration: string
  readonly #port: number

  constructor(configuration: string, port: number) {
    super('h2o', ['-c', configuration], port)
    this.#configuration = configuration
    this.#port = port
  }

  override async start(): Promise<void> {
    await super.start()
    const [, file = ''] = /ticket-file: (.*)}/.exec(readFileSync(this.#configuration, 'utf8')) ?? []
    const [, , current = ''] = readFileSync(file, 'utf8').split('- name: ')
    const named = current.slice(0, 32)
    while ((await takeTicket(this.#port)).subarray(0, 16).toString('hex') !== named) await sleep(20)
  }
}

/** Starts H2O with this ring in its file. */
export async function startH2o(ring: Ring): Promise<Terminator> {
  const setup = await setUpServer('h2o.keys', h2oKeys(ring))
  const { directory, identity, ports, keyFile, configure } = setup
  const staple = join(directory, 'staple')
  writeFileSync(staple, staplePrinter(directory, identity), { mode: 0o755 })
  const text = h2oConfiguration(directory, keyFile, identity, ports, staple)
  const configuration = configure('h2o.yaml', text)
  const server = new H2oProcess(configuration, ports.plain)
  await server.start()
  return {
    server: 'h2o',
    directory,
    identity,
    ports,
    keyFiles: [keyFile],
    settings: [`H2O_KEYS=${keyFile}`, `H2O_OWNER=${userInfo().username}`],
    ...lifeOf(server, directory),
  }
}

/** What H2O reads: the newest entry whose time has come encrypts. */
export function h2oKeys(ring: Ring): string {
  const [previous, current, next] = keysOf(ring).map(h2oKey) as [string, string, string]
  const entry = (key: string, begins: number) => `${key}  not_before: ${begins}\n  not_after: 4294967295\n`
  return entry(previous, 1) + entry(current, 2) + entry(next, 4294967294)
}

function h2oKey(key: TicketKey): string {
  const { name, aes, hmac } = key.reveal()
  const secret = Buffer.concat([aes, hmac, Buffer.alloc(32)]).toString('hex')
  return `- name: ${name.toString('hex')}\n  cipher: aes-256-cbc\n  hash: sha256\n  key: ${secret}\n`
}

/** What prints the staple of the certificate that it is told; 75 (EX_TEMPFAIL) has H2O ask again later. */
function staplePrinter(directory: string, { certificate }: Identity): string {
  const file = `${directory}/staples/site.ocsp`
  return `#!/bin/sh\ncase $1 in ${certificate}) cat ${file} 2>/dev/null && exit 0 ;; esac\nexit 75\n`
}

/** Looked at more often than every ten seconds, since tests are many. */
const STAPLING = 'ocsp-update-interval: 2, ocsp-max-failures: 0'

/** It would ask the responder of each certificate when it starts, but for `ocsp-update-interval` or another command. */
function h2oConfiguration(
  directory: string,
  keyFile: string,
  { certificate, key }: Identity,
  ports: Readonly<Record<ListenerKind, number>>,
  staple: string,
): string {
  const listen = (kind: ListenerKind, lines = '', ssl = 'ocsp-update-interval: 0') => `listen:
  host: 127.0.0.1
  port: ${ports[kind]}
${lines}  ssl: {certificate-file: ${certificate}, key-file: ${key}, ${ssl}}
`
  return `user: ${userInfo().username}
pid-file: ${directory}/h2o.pid
error-log: ${directory}/error.log
num-threads: 2
http1-request-timeout: 120
ssl-session-resumption: {mode: ticket, ticket-store: file, ticket-file: ${keyFile}}
${listen('plain', '', `ocsp-update-cmd: ${staple}, ${STAPLING}`)}\
${listen('tls12', '', 'ocsp-update-interval: 0, max-version: TLSv1.2')}${listen('proxy', '  proxy-protocol: ON\n')}\
hosts:
  default:
    paths:
      /:
        mruby.handler: 'proc {|request| [200, {}, ["ok"]] }'
`
}
