/** Real HAProxy and nginx processes on free loopback ports, with a throwaway certificate. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import { NO_NAMESERVERS } from '../../local/rehearsal/machines/haproxy.ts'
import { freePorts, takesConnections } from '../../local/rehearsal/machines/ports.ts'
import { type Identity, makeCertificate, SERVER_NAME } from './identity.ts'

/** What a listener does beyond plain TLS with our keys. */
export type ListenerKind =
  | 'plain'
  | 'tls12'
  | 'tls13'
  | 'proxy'
  | 'tickets-off'
  | 'client-certificate'
  | 'other'
const KINDS: readonly ListenerKind[] = [
  'plain',
  'tls12',
  'tls13',
  'proxy',
  'tickets-off',
  'client-certificate',
  'other',
]

/** The kinds of server that run here. */
export type Kind = 'haproxy' | 'nginx' | 'h2o' | 'dnsdist' | 'trafficserver' | 'lighttpd' | 'envoy'

export interface Terminator {
  readonly server: Kind
  readonly directory: string
  readonly identity: Identity
  /** Port of each kind of listener, all on 127.0.0.1. `other` uses keys that are not ours. */
  readonly ports: Readonly<Record<ListenerKind, number>>
  /** The key files that the script writes. */
  readonly keyFiles: readonly string[]
  /** Lines of the instance's settings, without the listeners to verify. */
  readonly settings: readonly string[]
  /** Process id of its master. */
  pid(): number
  /** Ends the server and leaves its files. */
  halt(): Promise<void>
  /** Starts it again with the same configuration. */
  restart(): Promise<void>
  /** Ends the server and removes its files. */
  stop(): Promise<void>
}

/** A directory on a tmpfs: the script refuses any other file system. */
export function tmpfsDirectory(): string {
  return mkdtempSync('/dev/shm/ticketring-test-')
}

/** `address:port=servername` of one listener. */
export function verifyListener(terminator: Terminator, kind: ListenerKind = 'plain'): string {
  return `127.0.0.1:${terminator.ports[kind]}=${SERVER_NAME}`
}

/** The listener of the same keys that root alone reaches, as a setting names it. */
export function proofListener({ directory }: Terminator): string {
  return `unix:${directory}/proof.sock=${SERVER_NAME}`
}

export async function portsOfEachKind(): Promise<Record<ListenerKind, number>> {
  const ports = await freePorts(KINDS.length)
  return Object.fromEntries(KINDS.map((kind, index) => [kind, ports[index]])) as Record<ListenerKind, number>
}

/** Starts HAProxy with these keys (base64 lines, oldest first) in its key file. */
export async function startHaproxy(keys: readonly string[], keySize: 80 | 48 = 80): Promise<Terminator> {
  const directory = tmpfsDirectory()
  const identity = makeCertificate(directory)
  const ports = await portsOfEachKind()
  const keyFile = join(directory, 'keys', 'haproxy.keys')
  mkdirSync(join(directory, 'keys'))
  writeFileSync(keyFile, `${keys.join('\n')}\n`, { mode: 0o400 })
  writeFileSync(join(directory, 'other.keys'), keys.map(flipFirstByte).join('\n'))
  const configuration = join(directory, 'haproxy.cfg')
  writeFileSync(configuration, haproxyConfiguration(directory, keyFile, identity, ports))
  const server = new ServerProcess('haproxy', ['-W', '-f', configuration], ports.plain)
  await server.start()
  return {
    server: 'haproxy',
    directory,
    identity,
    ports,
    keyFiles: [keyFile],
    settings: [
      `HAPROXY_KEYS=${keyFile}`,
      `HAPROXY_KEY_SIZE=${keySize}`,
      `HAPROXY_SOCKET=${join(directory, 'admin.sock')}`,
      `HAPROXY_OWNER=${userInfo().username}`,
    ],
    ...lifeOf(server, directory),
  }
}

function haproxyConfiguration(
  directory: string,
  keyFile: string,
  { site, certificate }: Identity,
  ports: Readonly<Record<ListenerKind, number>>,
): string {
  const bind = (kind: ListenerKind, words: string, keys = keyFile) =>
    `  bind 127.0.0.1:${ports[kind]} ssl crt ${site} tls-ticket-keys ${keys} ${words}`
  return `global
  stats socket ${directory}/admin.sock mode 600 level admin
  stats socket ${directory}/operator.sock mode 600 level operator
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend tls
${bind('plain', '')}
${bind('tls12', 'ssl-max-ver TLSv1.2')}
${bind('tls13', 'ssl-min-ver TLSv1.3')}
${bind('proxy', 'accept-proxy')}
${bind('tickets-off', 'no-tls-tickets')}
${bind('client-certificate', `verify required ca-file ${certificate}`)}
${bind('other', '', `${directory}/other.keys`)}
  bind unix@${directory}/proof.sock mode 600 ssl crt ${site} tls-ticket-keys ${keyFile}
  http-request return status 200 content-type text/plain string ok
${NO_NAMESERVERS}`
}

/** Starts nginx with these keys (bytes: current, next, previous) in its key files. */
export async function startNginx(keys: readonly Buffer[]): Promise<Terminator> {
  const directory = tmpfsDirectory()
  const identity = makeCertificate(directory)
  const ports = await portsOfEachKind()
  const keyDirectory = join(directory, 'keys')
  const keyFiles = ['current', 'next', 'previous'].map((name) => join(keyDirectory, `nginx.${name}.key`))
  mkdirSync(keyDirectory)
  for (const [index, file] of keyFiles.entries())
    writeFileSync(file, keys[index] ?? Buffer.alloc(0), { mode: 0o400 })
  writeFileSync(join(directory, 'other.key'), Buffer.from(keys[0] ?? []).reverse())
  const configuration = join(directory, 'nginx.conf')
  writeFileSync(configuration, nginxConfiguration(directory, keyFiles, identity, ports))
  const server = new ServerProcess('nginx', ['-c', configuration], ports.plain)
  await server.start()
  return {
    server: 'nginx',
    directory,
    identity,
    ports,
    keyFiles,
    settings: [
      `NGINX_KEYS=${keyDirectory}`,
      `NGINX_KEY_SIZE=${keys[0]?.length ?? 80}`,
      `NGINX_TEST=nginx -t -q -c ${configuration}`,
      `NGINX_RELOAD=nginx -s reload -c ${configuration}`,
      // Tests reload again and again; one of the interval sets its own.
      'NGINX_MIN_RELOAD_INTERVAL=0',
      `NGINX_OWNER=${userInfo().username}`,
    ],
    ...lifeOf(server, directory),
  }
}

function nginxConfiguration(
  directory: string,
  keyFiles: readonly string[],
  { certificate, key }: Identity,
  ports: Readonly<Record<ListenerKind, number>>,
): string {
  const server = (kind: ListenerKind, words: string, lines = '') =>
    `  server { listen 127.0.0.1:${ports[kind]} ssl${words}; ${lines} return 200 ok; }`
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off;
worker_processes 2;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log notice;
events {}
http {
  access_log off;
${scratch.map((name) => `  ${name}_temp_path ${directory}/scratch;`).join('\n')}
  ssl_certificate ${certificate};
  ssl_certificate_key ${key};
  ssl_protocols TLSv1.2 TLSv1.3;
  include ${directory}/staples/site.ocsp[.]conf;
${keyFiles.map((file) => `  ssl_session_ticket_key ${file};`).join('\n')}
${server('plain', '')}
${server('tls12', '', 'ssl_protocols TLSv1.2;')}
${server('tls13', '', 'ssl_protocols TLSv1.3;')}
${server('proxy', ' proxy_protocol')}
${server('tickets-off', '', 'ssl_session_tickets off;')}
${server('client-certificate', '', `ssl_verify_client on; ssl_client_certificate ${certificate};`)}
${server('other', '', `ssl_session_ticket_key ${directory}/other.key;`)}
  server { listen unix:${directory}/proof.sock ssl; return 200 ok; }
}
`
}

/** A key of the same layout under another name. */
function flipFirstByte(line: string): string {
  const bytes = Buffer.from(line, 'base64')
  return Buffer.from(bytes.map((byte, index) => (index === 0 ? byte ^ 0xff : byte))).toString('base64')
}

export class ServerProcess {
  readonly #command: string
  readonly #words: readonly string[]
  readonly #port: number
  #process: ChildProcess | undefined

  constructor(command: string, words: readonly string[], port: number) {
    this.#command = command
    this.#words = words
    this.#port = port
  }

  async start(): Promise<void> {
    const child = spawn(this.#command, this.#words, { stdio: 'ignore' })
    this.#process = child
    while (!(await answersTls(this.#port))) {
      if (child.exitCode !== null) throw new Error(`${this.#command} ended with status ${child.exitCode}`)
      await sleep(20)
    }
    while (this.#words.includes('-W') && !takesSignals(child.pid ?? 0)) await sleep(20)
  }

  get pid(): number {
    return this.#process?.pid ?? 0
  }

  async end(): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
    // A worker of HAProxy's outlives its master by a moment: a start right after it would be answered by the old one.
    while (await takesConnections(this.#port)) await sleep(20)
  }
}

const SIGUSR2 = 1n << 11n

/** A master that is still replacing itself after its start or a reload loses a signal, though its worker serves. */
export function takesSignals(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const mask = (name: string) =>
    BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? 0}`)
  return (mask('SigCgt') & SIGUSR2) !== 0n && (mask('SigBlk') & SIGUSR2) === 0n
}

/** Whether a worker answers: by then all listeners, sockets and the file of its process id are there. */
function answersTls(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', servername: SERVER_NAME, rejectUnauthorized: false })
    socket.once('secureConnect', () => socket.destroy()).once('secureConnect', () => resolve(true))
    // An alert is an answer too.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code?.startsWith('ERR_SSL') === true))
  })
}

export function lifeOf(
  server: ServerProcess,
  directory: string,
): Pick<Terminator, 'pid' | 'halt' | 'restart' | 'stop'> {
  return {
    pid: () => server.pid,
    halt: () => server.end(),
    restart: () => server.start(),
    stop: async () => {
      await server.end()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
