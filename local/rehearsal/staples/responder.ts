import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { spawnGroup } from '../../process-group.ts'
import type { ResponderFiles } from '../machines/pki.ts'
import { RehearsalError } from '../rehearsal-error.ts'

export interface ResponderOptions {
  readonly files: ResponderFiles
  readonly port: number
  /** From thisUpdate to nextUpdate. */
  readonly minutes: number
  /** File for what it says. */
  readonly log: string
}

/** How long to wait before a responder that ended by itself is started again (ms). */
const RESTING = 100
const PATIENCE = 5_000

/** The OCSP responder of the openssl command: it answers one question at a time. */
export class Responder {
  readonly #options: ResponderOptions
  #process: ChildProcess | undefined
  /** Times that it had ended without being told to. */
  restarts = 0

  constructor(options: ResponderOptions) {
    this.#options = options
  }

  get url(): string {
    return urlOfResponder(this.#options.port)
  }

  /** Of the process that answers now. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /**
   * Resolves when it takes questions; it says what the issuer's index holds now.
   * @throws RehearsalError when it does not start.
   */
  async start(): Promise<void> {
    const ready = this.#launch()
    const inTime = await Promise.race([ready.then(() => true), pause(PATIENCE, false, { ref: false })])
    if (!inTime)
      throw new RehearsalError('The OCSP responder did not start', `Its log is ${this.#options.log}`)
  }

  async stop(): Promise<void> {
    const process = this.#process
    this.#process = undefined
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return
    const gone = once(process, 'exit')
    process.kill('SIGKILL')
    await gone
  }

  /** Resolves when it says that it is ready: one that is connected to and left without a question never answers again. */
  #launch(): Promise<void> {
    const { log, ...options } = this.#options
    // A rehearsal that is killed takes its responder with it: the kernel tells it.
    const argv = ['setpriv', '--pdeathsig', 'KILL', '--', 'openssl', ...wordsOf(options)]
    const process = spawnGroup(argv, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = process
    process.once('exit', () => void this.#startAgain(process))
    return new Promise((resolve) => {
      for (const stream of [process.stdout, process.stderr]) {
        stream?.on('data', (text: Buffer) => {
          // Its last words come after its end: the folder may be gone.
          if (this.#process === process) appendFileSync(log, text)
          if (text.includes('waiting for OCSP client')) resolve()
        })
      }
    })
  }

  async #startAgain(ended: ChildProcess): Promise<void> {
    await pause(RESTING, undefined, { ref: false })
    if (this.#process !== ended) return
    this.restarts += 1
    void this.#launch()
  }
}

/** What certificates name as their responder. */
export function urlOfResponder(port: number): string {
  return `http://127.0.0.1:${port}/`
}

function wordsOf({ files, port, minutes }: Omit<ResponderOptions, 'log'>): readonly string[] {
  const { index, issuer, signer, signerKey } = files
  const identity = ['-index', index, '-CA', issuer, '-rsigner', signer, '-rkey', signerKey]
  const manners = ['-nmin', String(minutes), '-ignore_err']
  return ['ocsp', ...identity, '-port', String(port), ...manners]
}
