import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import type { ResponderFiles } from '../machines/pki.ts'
import { RehearsalError } from '../rehearsal-error.ts'

export interface ResponderOptions {
  readonly files: ResponderFiles
  readonly port: number
  /** From thisUpdate to nextUpdate. */
  readonly minutes: number
  /** File for what it says; its questions and answers are beside it for a moment. */
  readonly log: string
}

/** For one answer (ms). */
const PATIENCE = 5_000
/** RFC 6960 §4.2.1: an OCSPResponse that is `malformedRequest`. */
const MALFORMED = Buffer.from('30030a0101', 'hex')

/**
 * An OCSP responder of loopback: the openssl command answers each question. As a server of its own that would listen on
 * every address of the machine.
 */
export class Responder {
  readonly #options: ResponderOptions
  readonly #answering = new Set<Promise<void>>()
  #server: Server | undefined
  #questions = 0

  constructor(options: ResponderOptions) {
    this.#options = options
  }

  get url(): string {
    return urlOfResponder(this.#options.port)
  }

  /**
   * Resolves when it takes questions.
   * @throws RehearsalError when it does not start.
   */
  async start(): Promise<void> {
    const server = createServer((question, answer) => {
      const answering = this.#answer(question, answer).finally(() => this.#answering.delete(answering))
      this.#answering.add(answering)
    })
    server.listen(this.#options.port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch (error) {
      throw new RehearsalError(
        `The OCSP responder did not start: ${(error as Error).message}`,
        'Run it again: another program has taken its port',
      )
    }
    this.#server = server
  }

  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await Promise.all([closed, ...this.#answering])
  }

  /** Does not throw: who has gone is not answered. */
  async #answer(question: IncomingMessage, answer: ServerResponse): Promise<void> {
    try {
      const asked = Buffer.concat(await question.toArray())
      answer.setHeader('content-type', 'application/ocsp-response')
      answer.end(await this.#answerOf(asked))
    } catch (error) {
      answer.destroy(error as Error)
    }
  }

  async #answerOf(question: Uint8Array): Promise<Buffer> {
    const { log, ...options } = this.#options
    const beside = `${log}.${++this.#questions}`
    const [asked, answered] = [`${beside}.question`, `${beside}.answer`]
    try {
      writeFileSync(asked, question)
      await promisify(execFile)('openssl', wordsOf(options, asked, answered), { timeout: PATIENCE })
      return readFileSync(answered)
    } catch (error) {
      appendFileSync(log, `${(error as Error).message}\n`)
      return MALFORMED
    } finally {
      for (const file of [asked, answered]) rmSync(file, { force: true })
    }
  }
}

/** What certificates name as their responder. */
export function urlOfResponder(port: number): string {
  return `http://127.0.0.1:${port}/`
}

function wordsOf(
  { files, minutes }: Omit<ResponderOptions, 'log'>,
  asked: string,
  answered: string,
): readonly string[] {
  const { index, issuer, signer, signerKey } = files
  const identity = ['-index', index, '-CA', issuer, '-rsigner', signer, '-rkey', signerKey]
  return ['ocsp', ...identity, '-nmin', String(minutes), '-reqin', asked, '-respout', answered]
}
