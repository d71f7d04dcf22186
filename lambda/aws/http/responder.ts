import { lookup as lookupName } from 'node:dns/promises'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import tls from 'node:tls'
import { isRefusal, TicketringError } from '../../kernel/errors.ts'
import type { HttpAnswer, HttpQuestion, Responders } from '../../staples/ports.ts'
import { AddressRules, type Resolved } from './address.ts'
import { type Agents, agentsFor, type Connect } from './agents.ts'
import { answerOf, refusalOf } from './answer.ts'
import { HostLimiter } from './host-limiter.ts'
import { headersOf, send } from './request.ts'
import { openTunnel } from './tunnel.ts'
import { bare, endless, hostOf, MOST_REDIRECTS, parseUrl, redirected, refusing } from './url.ts'

/** Asks for all addresses of a name. */
export type Resolve = (host: string) => Promise<readonly Resolved[]>

export interface ResponderOptions {
  /** Ranges in CIDR notation that may be reached though they are not public. */
  readonly allow: readonly string[]
  readonly resolve?: Resolve
  /** Milliseconds for a whole exchange: names, connection, redirects and the last byte. */
  readonly deadline?: number
  /** Exchanges with one host at the same time: a thousand certificates of one CA take two seconds at 50 ms each. */
  readonly perHost?: number
  /** Authorities for https, PEM; Node's own by default. */
  readonly authorities?: readonly string[]
  /** Opens a connection; looks the name up with the `lookup` it is given, which checks. Node's own by default. */
  readonly connect?: Connect
}

const REDIRECTS = [301, 302, 303, 307, 308]
/** RFC 9110 §15.4.4: what was asked for is to be had there by GET, whatever the method was. */
const SEE_OTHER = 303

/**
 * Servers whose URLs stand in certificates, over Node's own HTTP client. Every address that is connected to has been
 * checked where it was resolved, so that a name cannot change its mind in between.
 */
export class HttpResponders implements Responders {
  readonly #rules: AddressRules
  readonly #resolve: Resolve
  readonly #deadline: number
  readonly #turns: HostLimiter
  readonly #trusted: Agents
  readonly #guarded: Agents

  constructor({
    allow,
    resolve = resolveName,
    deadline = 10_000,
    perHost = 24,
    authorities,
    connect,
  }: ResponderOptions) {
    this.#rules = new AddressRules(allow)
    this.#resolve = resolve
    this.#deadline = deadline
    this.#turns = new HostLimiter(perHost)
    const ca = authorities === undefined ? {} : { ca: [...authorities] }
    // Two pools: a connection to an address that only the owner's word allows must not serve a certificate's URL.
    this.#trusted = agentsFor(perHost, this.#lookup(false), ca, connect)
    this.#guarded = agentsFor(perHost, this.#lookup(true), ca, connect)
  }

  async ask(question: HttpQuestion): Promise<HttpAnswer> {
    const url = parseUrl(question.url, question.url)
    return this.#turns.take(hostOf(question.proxy ?? url.href), async () => {
      const signal = AbortSignal.timeout(this.#deadline)
      try {
        return await this.#follow(question, url, signal)
      } catch (error) {
        if (isRefusal(error)) throw error
        throw signal.aborted ? this.#tooSlow(question, error) : refusalOf(error, wayTo(question))
      }
    })
  }

  close(): void {
    for (const { plain, secure } of [this.#trusted, this.#guarded]) {
      plain.destroy()
      secure.destroy()
    }
  }

  async #follow(question: HttpQuestion, first: URL, signal: AbortSignal): Promise<HttpAnswer> {
    const seen = new Set<string>()
    let url = first
    let asked = question
    for (let hop = 0; ; hop++) {
      const guarded = hop > 0 || question.trusted !== true
      if (guarded) await refusing(hop, () => this.#checkHost(url, question.proxy !== undefined, signal))
      seen.add(url.href)
      const message = await refusing(hop, () => this.#request(asked, url, guarded, signal))
      const location = REDIRECTS.includes(message.statusCode ?? 0) ? message.headers.location : undefined
      if (message.statusCode === 407) throw refusedByProxy(message, wayTo(question))
      if (location === undefined) return answerOf(message, url)
      message.destroy()
      if (message.statusCode === SEE_OTHER) asked = gettingOf(question)
      url = redirected(url, location)
      if (hop >= MOST_REDIRECTS || seen.has(url.href)) throw endless(question.url, hop, url)
    }
  }

  /** Addresses that stand in the URL itself; through a proxy, which resolves for us, also what we know of the name. */
  async #checkHost(url: URL, proxied: boolean, signal: AbortSignal): Promise<void> {
    this.#rules.checkLiteral(url.hostname)
    if (!proxied) return
    const known = await within(signal, this.#resolve(bare(url.hostname))).catch(() => [])
    for (const each of known) this.#rules.check(url.hostname, each)
  }

  async #request(
    question: HttpQuestion,
    url: URL,
    guarded: boolean,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const agents = guarded ? this.#guarded : this.#trusted
    const { method, body, proxy } = question
    const common = { method, headers: headersOf(question, url), signal }
    const secure = url.protocol === 'https:'
    if (proxy === undefined) {
      const agent = secure ? agents.secure : agents.plain
      return send(() => (secure ? https : http).request(url, { ...common, agent }), body)
    }
    const way = new URL(proxy)
    const toProxy = { host: bare(way.hostname), port: way.port || 80, agent: this.#trusted.plain }
    if (!secure) return send(() => http.request({ ...common, ...toProxy, path: url.href }), body)
    const socket = await openTunnel(way, url, signal)
    const { ca } = agents.secure.options
    const strict = { rejectUnauthorized: true, servername: bare(url.hostname), ...(ca ? { ca } : {}) }
    const connection = tls.connect({ socket, ...strict })
    return send(() => https.request(url, { ...common, createConnection: () => connection }), body)
  }

  /** Resolves for a connection, and refuses a name of which any address is forbidden. */
  #lookup(guarded: boolean): LookupFunction {
    return (host, options, done) => {
      this.#resolve(host)
        .then((found) => {
          if (guarded) for (const each of found) this.#rules.check(host, each)
          const [first] = found
          if (first === undefined) throw Object.assign(new Error('no address'), { code: 'ENOTFOUND' })
          if (options.all === true) done(null, [...found])
          else done(null, first.address, first.family)
        })
        .catch((error: NodeJS.ErrnoException) => done(error, '', 4))
    }
  }

  #tooSlow(question: HttpQuestion, cause: unknown): TicketringError {
    const wanted = `an answer from ${wayTo(question)} within ${this.#deadline} ms, to its last byte`
    return new TicketringError('responder-timeout', { wanted, came: 'none', cause })
  }
}

/** The same question by GET. */
function gettingOf({ body: _, ...question }: HttpQuestion): HttpQuestion {
  return { ...question, method: 'GET' }
}

async function resolveName(host: string): Promise<readonly Resolved[]> {
  const found = await lookupName(host, { all: true })
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))
}

/** The server, and the proxy that stands before it: either may be what failed. */
function wayTo({ url, proxy }: HttpQuestion): string {
  return proxy === undefined ? hostOf(url) : `${hostOf(url)} through the proxy ${hostOf(proxy)}`
}

/** Only a proxy answers 407 (RFC 9110 §15.5.8). */
function refusedByProxy(message: IncomingMessage, way: string): TicketringError {
  message.destroy()
  return new TicketringError('proxy-refused', { wanted: `an answer from ${way}`, came: 'HTTP status 407' })
}

function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    work.then(resolve, reject)
  })
}
