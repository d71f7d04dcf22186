/** One machine of a staple set: what the store holds for it, what it runs, what its clients see stapled. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { connect as connectTls, type SecureVersion } from 'node:tls'
import { certificateIdOf, digestOf, type StapleEntry, serialiseEntry } from '../../lambda/staples/entry.ts'
import { parseStapleLine, type StapleLine } from '../../lambda/staples/result-line.ts'
import { type Party, type ResponseSpec, respond, type SingleSpec } from '../ocsp/forge.ts'
import { makeCertificate, SERVER_NAME } from './identity.ts'
import { Instance, type Run, type RunOptions, ringOf } from './instance.ts'

export const SET = 'outer'
export const STORE = `/ticketring/staples/${SET}`
const HOUR = 3_600_000

/** The kinds of server that a set may name and that run here. */
export type StapleKind = 'haproxy' | 'nginx' | 'h2o' | 'trafficserver' | 'lighttpd'

export type StapleRun = Omit<Run, 'line'> & { readonly line: StapleLine }

/** When a response begins and ends, in hours from now. */
export interface Span {
  readonly from?: number
  /** Its nextUpdate. */
  readonly to?: number | 'none'
  /** Until when it may be stapled, in the store: its nextUpdate, or a day where it has none. */
  readonly end?: number
}

export class StapleInstance {
  readonly machine: Instance
  /** The file that the server's staple is kept in. */
  readonly file: string
  readonly #settings = new Map<string, string>()
  #leaf: Party
  /** A response has whole seconds. */
  readonly #started = Math.floor(Date.now() / 1000) * 1000

  private constructor(machine: Instance) {
    this.machine = machine
    this.#leaf = machine.terminator.identity.leaf
    const { terminator } = machine
    const { identity, server, directory } = terminator
    this.file = server === 'haproxy' ? `${identity.site}.ocsp` : join(directory, 'staples', 'site.ocsp')
    const shared = [...terminator.settings].filter((line) =>
      /_(SOCKET|OWNER|TEST|RELOAD|INTERVAL|CONSOLE)=/.test(line),
    )
    const certificates = join(directory, 'trafficserver', 'etc', 'ssl_multicert.config')
    const places: Readonly<Record<string, readonly string[]>> = {
      haproxy: [`HAPROXY_CERTS=${identity.site}`],
      trafficserver: [`TRAFFICSERVER_CERTIFICATES=${certificates}`],
    }
    if (server !== 'haproxy') this.set(`${server.toUpperCase()}_STAPLES=${identity.certificate}=${this.file}`)
    const times = ['VERIFY_WAIT=30', 'LOCK_WAIT=30', `RUN_DIR=${join(directory, 'run.staples')}`]
    for (const line of [...shared, ...(places[server] ?? []), ...times]) this.set(line)
    this.verifyOn('plain')
  }

  static async start(server: StapleKind): Promise<StapleInstance> {
    return StapleInstance.on(await Instance.start(server, ringOf(1)))
  }

  /** Of a machine that has a ring as well. */
  static on(machine: Instance): StapleInstance {
    return new StapleInstance(machine)
  }

  stop(): Promise<void> {
    return this.machine.stop()
  }

  set(line: string): void {
    const [key = '', ...value] = line.split('=')
    this.#settings.set(key, value.join('='))
  }

  get(key: string): string {
    return this.#settings.get(key) ?? ''
  }

  verifyOn(...kinds: (keyof Instance['terminator']['ports'])[]): void {
    const { server, ports } = this.machine.terminator
    const listeners = kinds.map((kind) => `127.0.0.1:${ports[kind]}=${SERVER_NAME}`)
    this.set(`${server.toUpperCase()}_VERIFY=${listeners.join(' ')}`)
  }

  /** The server's own certificate. */
  get leaf(): Party {
    return this.#leaf
  }

  /** Puts another certificate into the server's files, which it does not read by itself. */
  renew(): void {
    const { directory, identity } = this.machine.terminator
    this.#leaf = makeCertificate(directory, identity.authority, identity.responder).leaf
  }

  get id(): string {
    return certificateIdOf(this.leaf.certificate)
  }

  #at(hours: number): Date {
    return new Date(this.#started + hours * HOUR)
  }

  /** A response by the authority about the server's certificate, or about another. */
  respond({ from = -1, to = 24 }: Span = {}, single: SingleSpec = {}, spec: ResponseSpec = {}): Buffer {
    const { authority } = this.machine.terminator.identity
    const nextUpdate = to === 'none' ? to : this.#at(to)
    const times = { thisUpdate: this.#at(from), nextUpdate, ...single }
    return respond(this.#at(0), this.leaf.certificate, authority.certificate, authority, {
      ...spec,
      singles: [times],
    })
  }

  /** An entry that holds a response, as the function writes it. */
  entry(der: Buffer, { from = -1, to = 24, end }: Span = {}, haproxy: string | null = null): StapleEntry {
    const response = {
      der,
      thisUpdate: this.#at(from),
      ...(to === 'none' ? {} : { nextUpdate: this.#at(to) }),
      end: this.#at(end ?? (to === 'none' ? 24 : to)),
      status: 'good' as const,
    }
    return {
      name: 'www',
      id: this.id,
      state: 'staple',
      mustStaple: false,
      response: { ...response, haproxy, fetchedAt: this.#at(0), source: 'http://ocsp.test/' },
      failures: 0,
      lastFailure: { at: this.#at(-9), code: 'staple-malformed', detail: 'said "no", \\ and ü, {{ssm:/x}}' },
    }
  }

  /** Puts a fresh response into the store; gives its bytes. */
  publish(span: Span = {}, single: SingleSpec = {}, haproxy: string | null = null): Buffer {
    const der = this.respond(span, single)
    this.storeResponse(der, span, haproxy)
    return der
  }

  /** Has the machine staple a fresh response; gives its bytes. */
  async staple(span: Span = {}): Promise<Buffer> {
    const der = this.publish(span)
    const { line } = await this.run()
    if (line.result !== 'applied') throw new Error(`${line.error}: ${line.detail}`)
    return der
  }

  storeResponse(der: Buffer, span: Span = {}, haproxy: string | null = null): void {
    this.store(serialiseEntry(this.entry(der, span, haproxy)))
  }

  withdraw(): void {
    this.store(serialiseEntry({ ...this.entry(this.respond()), state: 'withdrawn', reason: 'by hand' }))
  }

  store(text: string, id = this.id): void {
    const { parameters } = this.machine.endpoint
    if (parameters instanceof Map) parameters.set(`${STORE}/${id}`, text)
  }

  environment(staples = 'all'): Record<string, string> {
    const { server, pid } = this.machine.terminator
    // What systemctl reload haproxy comes to; a test that wants none says so.
    if (server === 'haproxy' && this.#settings.get('HAPROXY_RELOAD') !== '')
      this.set(`HAPROXY_RELOAD=kill -USR2 ${pid()}`)
    return {
      TICKETRING_SET: SET,
      SSM_Staples: staples,
      TICKETRING_SETTINGS: [...this.#settings].map(([key, value]) => `${key}=${value}`).join('\n'),
    }
  }

  async run(staples = 'all', options: RunOptions = {}): Promise<StapleRun> {
    return await this.begin(staples, options).ended
  }

  begin(staples = 'all', options: RunOptions = {}): { pid: number; ended: Promise<StapleRun> } {
    const environment = { ...this.environment(staples), ...options.environment }
    const { pid, ended } = this.machine.begin({ command: 'staples', ...options, environment })
    const read = async (): Promise<StapleRun> => {
      const { code, stdout, stderr } = await ended
      return {
        code,
        stdout,
        stderr,
        get line() {
          return parseStapleLine(stdout)
        },
      }
    }
    return { pid, ended: read() }
  }

  /** `id=sha256`, as a command names what to hold. */
  told(der: Buffer): string {
    return `${this.id}=${digestOf(der)}`
  }

  /** What a client that asks is given: the response's bytes, or null. */
  async stapled(version: SecureVersion = 'TLSv1.3'): Promise<Buffer | null> {
    return await askForStaple(this.machine.terminator.ports.plain, version)
  }

  /** The bytes in the server's file, or null. */
  installed(): Buffer | null {
    return existsSync(this.file) ? readFileSync(this.file) : null
  }

  reloads(): number {
    const log = readFileSync(join(this.machine.terminator.directory, 'error.log'), 'utf8')
    return log.split('signal 1 (SIGHUP)').length - 1
  }

  /** Everything that a failed run must leave as it was. */
  async condition(): Promise<Readonly<Record<string, unknown>>> {
    const folder = dirname(this.file)
    const left = existsSync(folder) ? readdirSync(folder).sort() : []
    return { installed: this.installed(), left, stapled: await this.stapled() }
  }
}

/** One handshake with a status request (RFC 6066 §8). */
function askForStaple(port: number, version: SecureVersion): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', servername: SERVER_NAME, rejectUnauthorized: false }
    const asking = { ...options, requestOCSP: true, minVersion: version, maxVersion: version }
    const socket = connectTls(asking)
    let staple: Buffer | null = null
    socket.on('OCSPResponse', (response) => {
      staple = response
    })
    socket.once('secureConnect', () => {
      socket.destroy()
      resolve(staple !== null && staple.length > 0 ? staple : null)
    })
    socket.once('error', reject)
  })
}

/** What OpenSSL's own client says about the staple. */
export function opensslStatus(port: number): string {
  const client = `openssl s_client -connect 127.0.0.1:${port} -servername ${SERVER_NAME} -status </dev/null 2>/dev/null`
  return execFileSync('sh', ['-c', client], { encoding: 'utf8' })
}
