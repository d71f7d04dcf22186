/** One machine of the fleet: runs the program as its document would and shows what the machine holds afterwards. */
import { execFileSync, spawn } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { type Layout, secretsOf, toLayout } from '../../lambda/ring/layouts.ts'
import { parseResultLine, type ResultLine } from '../../lambda/ring/result-line.ts'
import { advance, genesis, keysOf, type Ring, serialiseRing } from '../../lambda/ring/ring.ts'
import type { TicketKey } from '../../lambda/ring/ticket-key.ts'
import { startDnsdist } from './dnsdist.ts'
import { CREDENTIALS, Endpoint } from './endpoint.ts'
import { startEnvoyStandIn } from './envoy.ts'
import { startH2o } from './h2o.ts'
import { SERVER_NAME } from './identity.ts'
import { startLighttpd } from './lighttpd.ts'
import { type Command, wordsOf } from './program.ts'
import { takeTicket } from './sessions.ts'
import { type Kind, startHaproxy, startNginx, type Terminator, verifyListener } from './terminators.ts'
import { startTrafficserver } from './trafficserver.ts'

const RING = 'edge'
/** For a proof that never comes: a machine is patient otherwise, since a busy processor brings servers up late. */
export const NO_WAIT = 'VERIFY_WAIT=1'
/** The same of an nginx that is reloaded before: its new workers come, on a busy processor not within a second. */
export const BRIEF_WAIT = 'VERIFY_WAIT=5'
const LINEAGE = '0b54a7d2-1c1b-4f0e-9d7a-3f2f5c1e8a11'

export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly line: ResultLine
}

export interface RunOptions {
  readonly arguments?: readonly string[]
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Words put before it, such as strace's. */
  readonly prefix?: readonly string[]
  readonly command?: Command
  /** Other sources than the program's own. */
  readonly program?: string
}

/** A fresh generation of a fresh lineage, or of the one named. */
export function ringOf(generation = 1, lineage = LINEAGE): Ring {
  const making = { parent: 'genesis-00000000000000000000000000000000', now: new Date(0), random: randomBytes }
  return { ...genesis(RING, lineage, making), generation }
}

const STARTS: Readonly<Record<Kind, (ring: Ring, keySize: 80 | 48) => Promise<Terminator>>> = {
  haproxy: (ring, keySize) => startHaproxy(rendered(ring, `haproxy-${keySize}`), keySize),
  nginx: ({ current, next, previous }, keySize) =>
    startNginx([current, next, previous].map((key) => toLayout(key, `nginx-${keySize}`))),
  h2o: startH2o,
  dnsdist: startDnsdist,
  trafficserver: startTrafficserver,
  lighttpd: startLighttpd,
  envoy: startEnvoyStandIn,
}

export class Instance {
  readonly terminator: Terminator
  readonly endpoint: Endpoint
  readonly runDirectory: string
  readonly #confDirectory: string
  readonly #settings = new Map<string, string>()

  private constructor(terminator: Terminator, endpoint: Endpoint) {
    this.terminator = terminator
    this.endpoint = endpoint
    this.runDirectory = join(terminator.directory, 'run')
    this.#confDirectory = join(terminator.directory, 'conf')
    mkdirSync(this.#confDirectory)
    const kind = terminator.server.toUpperCase()
    for (const line of terminator.settings) this.set(line)
    this.set(`${kind}_VERIFY=${verifyListener(terminator)}`)
    for (const line of ['SECRET=ticketring/edge', 'TICKET_LIFETIME=7200', 'VERIFY_WAIT=30', 'LOCK_WAIT=30'])
      this.set(line)
    this.set(`RUN_DIR=${this.runDirectory}`)
  }

  /** A machine whose server runs `ring`, and a Secrets Manager that holds the same. */
  static async start(server: Kind, ring: Ring, keySize: 80 | 48 = 80): Promise<Instance> {
    const endpoint = await Endpoint.start()
    endpoint.secret = serialiseRing(ring)
    return new Instance(await STARTS[server](ring, keySize), endpoint)
  }

  async stop(): Promise<void> {
    this.endpoint.stop()
    await this.terminator.stop()
  }

  /** Overrides one setting of the document: `KEY=value`. */
  set(line: string): void {
    const [key = '', ...value] = line.split('=')
    this.#settings.set(key, value.join('='))
  }

  unset(key: string): void {
    this.#settings.delete(key)
  }

  /** Verifies on another kind of listener. */
  verifyOn(...kinds: Parameters<typeof verifyListener>[1][]): void {
    const listeners = kinds.map((kind) => verifyListener(this.terminator, kind))
    this.set(`${this.terminator.server.toUpperCase()}_VERIFY=${listeners.join(' ')}`)
  }

  /** The machine's own settings file, which overrides the document. */
  writeConf(text: string, name = RING): void {
    writeFileSync(join(this.#confDirectory, `${name}.conf`), text)
  }

  publish(ring: Ring): void {
    this.endpoint.secret = serialiseRing(ring)
  }

  environment(): Record<string, string> {
    const settings = [...this.#settings].map(([key, value]) => `${key}=${value}`)
    return {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      HOME: this.terminator.directory,
      TICKETRING_RING: RING,
      TICKETRING_SETTINGS: settings.join('\n'),
      TICKETRING_SCRIPT: 'abcdef012345',
      TICKETRING_CONF_DIR: this.#confDirectory,
      TICKETRING_LIB: join(this.terminator.directory, 'lib'),
      AWS_ENDPOINT_URL: this.endpoint.url,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `${this.endpoint.url}/imds`,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_SESSION_TOKEN: CREDENTIALS.sessionToken,
    }
  }

  /** Runs the program to its end. */
  async run(options: RunOptions = {}): Promise<Run> {
    return await this.begin(options).ended
  }

  /** Starts the program in a process group of its own, so that a test can kill it whole. */
  begin(options: RunOptions = {}): { pid: number; ended: Promise<Run> } {
    const program = wordsOf(options.command ?? 'ring', options.program)
    const [command = '', ...words] = [...(options.prefix ?? []), ...program, ...(options.arguments ?? [])]
    const environment = Object.entries({ ...this.environment(), ...options.environment })
    const child = spawn(command, words, {
      env: Object.fromEntries(environment.filter(([, value]) => value !== undefined)) as NodeJS.ProcessEnv,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const output = { stdout: '', stderr: '' }
    child.stdout.on('data', (chunk) => {
      output.stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      output.stderr += chunk
    })
    const ended = new Promise<Run>((resolve) => {
      child.once('close', (code) =>
        resolve({
          code,
          ...output,
          get line() {
            return parseResultLine(output.stdout)
          },
        }),
      )
    })
    return { pid: child.pid ?? 0, ended }
  }

  /** The key files' bytes in hex, and whether temporary ones were left. */
  files(): string {
    return this.terminator.keyFiles
      .map((file) => (existsSync(file) ? readFileSync(file).toString('hex') : 'absent'))
      .join(' ')
  }

  contents(): [file: string, bytes: Buffer][] {
    return this.terminator.keyFiles.map((file) => [file, readFileSync(file)])
  }

  /** The name of the key that the server encrypts with, seen by a TLS 1.2 handshake of our own. */
  async encryptsWith(): Promise<string> {
    return (await this.ticket()).subarray(0, 16).toString('hex')
  }

  ticket(): Promise<Buffer> {
    return takeTicket(this.terminator.ports.plain)
  }

  /** The keys in HAProxy's memory, oldest first, in base64. */
  async holds(): Promise<string[]> {
    const [keyFile] = this.terminator.keyFiles
    const answer = await ask(join(this.terminator.directory, 'admin.sock'), `show tls-keys ${keyFile}`)
    return [...answer.matchAll(/^\d+\.\d (\S+)$/gm)].map((match) => match[1] ?? '')
  }

  /** Leaves a ticket of the server on `port`, as if the run that loaded this ring had taken it from `listener`. */
  async plantOldTicket(port: number, listener: string): Promise<void> {
    const name = (await takeTicket(port)).subarray(0, 16).toString('hex')
    const file = join(this.runDirectory, `ticket.${listener}.${name}`)
    // The connection stays open for a moment: TLS 1.3 sends its tickets after the handshake.
    const client = `openssl s_client -connect 127.0.0.1:${port} -servername ${SERVER_NAME} -sess_out ${file}`
    execFileSync('sh', ['-c', `sleep 0.3 | ${client} >/dev/null 2>&1`])
  }

  /** Tickets under a revoked key that were not refused yet. */
  leftTickets(): string[] {
    return readdirSync(this.runDirectory).filter((name) => name.startsWith('ticket.'))
  }

  /** Everything a failed run must leave as it was: files, state, what the server encrypts with, HAProxy's ring. */
  async condition(): Promise<Readonly<Record<string, unknown>>> {
    const holds = this.terminator.server === 'haproxy' ? await this.holds() : []
    const left = readdirSync(dirname(this.terminator.keyFiles[0] ?? '')).sort()
    const stateFile = join(this.runDirectory, 'state')
    const state = existsSync(stateFile) ? readFileSync(stateFile, 'utf8') : 'none'
    return { files: this.files(), left, state, encryptsWith: await this.encryptsWith(), holds }
  }
}

/** One command to a runtime socket, and its answer. */
export function ask(socketPath: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(socketPath, () => socket.write(`${command}\n`))
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.once('end', () => resolve(answer))
    socket.once('error', reject)
    // A worker that is leaving may take a connection and never answer it.
    socket.setTimeout(2000, () => socket.destroy(new Error(`no answer from ${socketPath} within 2 s`)))
  })
}

/** The key as this server's files and socket have it. */
export function rendered(ring: Ring, layout: Layout): string[] {
  return keysOf(ring).map((key) => toLayout(key, layout).toString('base64'))
}

/** The generation after `ring`. */
export function advanced(ring: Ring): Ring {
  return advance(ring, {
    parent: 'genesis-00000000000000000000000000000000',
    now: new Date(0),
    random: randomBytes,
  })
}

/** Whether the ticket's MAC (its last 32 bytes, RFC 5077 §4) is the one that `key` makes. */
export function macVerifies(ticket: Buffer, key: TicketKey, layout: Layout): boolean {
  const mac = createHmac('sha256', secretsOf(key, layout).hmac)
  return mac.update(ticket.subarray(0, -32)).digest().equals(ticket.subarray(-32))
}
