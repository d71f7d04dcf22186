import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import { APPLICATION_PROTOCOLS, type ApplicationProtocol } from './application-protocol.ts'

export const TLS_VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
export type TlsVersion = (typeof TLS_VERSIONS)[number]

/** A listener as a client sees it. */
export interface Target {
  readonly port: number
  readonly serverName: string
  /** Whether it asks for a PROXY protocol header. */
  readonly proxyProtocol: boolean
  /** HTTP where it says nothing. */
  readonly speaks?: ApplicationProtocol
  /** Whether its certificate may be any: the user's own is none of the rehearsal's. */
  readonly isStranger?: boolean
}

/** What one connection showed. */
export interface Visit {
  readonly reused: boolean
  /** The server's last session, if it gave one, and the ticket in it. */
  readonly session: Buffer | undefined
  readonly ticket: Buffer | undefined
}

export interface Visiting {
  readonly authority: string
  readonly version: TlsVersion
  /** A session to resume. */
  readonly session?: Buffer
  /** Whether to ask for a staple (status_request, RFC 6066 §8): no client is given one unasked. */
  readonly wantsStaple?: boolean
}

/** How long a visit may take: far more than one needs on loopback. */
const PATIENCE = 5_000

/**
 * Connects, asks for a page, or for a name's address, and reads the answer and, unless a session is being resumed, a ticket: TLS 1.3 sends
 * it after the handshake (RFC 8446 §4.6.1).
 * @throws Error when the connection, the handshake or the request fails: what a user would see as an error.
 */
export async function visit(target: Target, visiting: Visiting): Promise<Visit> {
  const socket = await open(target, visiting)
  try {
    return await converse(socket, target, visiting.session === undefined)
  } finally {
    socket.destroy()
  }
}

/**
 * Asks a machine for a certificate's staple, in a full handshake: a resumed one brings none.
 * @returns its DER; undefined where it sends none.
 * @throws Error as {@link visit}, also for a certificate of another name.
 */
export async function askForStaple(
  target: Target,
  visiting: Pick<Visiting, 'authority' | 'version'>,
): Promise<Buffer | undefined> {
  const socket = await open(target, { ...visiting, wantsStaple: true })
  try {
    return await hearStaple(socket)
  } finally {
    socket.destroy()
  }
}

function hearStaple(socket: TLSSocket): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    let staple: Buffer | undefined
    // Comes before the handshake is over, and with null where the machine sends none.
    socket.once('OCSPResponse', (given: Buffer | null) => {
      staple = given ?? undefined
    })
    socket.once('secureConnect', () => resolve(staple))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed in the handshake')))
  })
}

async function open(
  target: Target,
  { authority, version, session, wantsStaple }: Visiting,
): Promise<TLSSocket> {
  const tcp = connectTcp({ host: '127.0.0.1', port: target.port, noDelay: true })
  tcp.setTimeout(PATIENCE, () => tcp.destroy(new Error(`no answer for ${PATIENCE} ms`)))
  if (target.proxyProtocol) await introduce(tcp)
  return connect({
    socket: tcp,
    servername: target.serverName,
    secureContext: contextOf(authority, version),
    rejectUnauthorized: target.isStranger !== true,
    ...(session === undefined ? {} : { session }),
    ...(wantsStaple === true ? { requestOCSP: true } : {}),
  })
}

/** By authority and version: making one costs as much as a handshake. */
const contexts = new Map<string, SecureContext>()

function contextOf(authority: string, version: TlsVersion): SecureContext {
  const key = `${version} ${authority}`
  const known = contexts.get(key)
  if (known !== undefined) return known
  const context = createSecureContext({ ca: authority, minVersion: version, maxVersion: version })
  contexts.set(key, context)
  return context
}

/** What a balancer in front says of its client (PROXY protocol, version 1, in text). */
async function introduce(tcp: Socket): Promise<void> {
  await once(tcp, 'connect')
  tcp.write(`PROXY TCP4 127.0.0.1 127.0.0.1 ${tcp.localPort} ${tcp.remotePort}\r\n`)
}

function converse(
  socket: TLSSocket,
  { speaks = 'http', serverName }: Target,
  wantsTicket: boolean,
): Promise<Visit> {
  const { question, isGood } = APPLICATION_PROTOCOLS[speaks]
  return new Promise((resolve, reject) => {
    // Asked while the connection is there: of one that is closed it cannot be.
    let reused = false
    let session: Buffer | undefined
    let ticket: Buffer | undefined
    let answer = Buffer.alloc(0)
    const settle = (force: boolean) => {
      if (isGood(answer) !== true || (!force && wantsTicket && ticket === undefined)) return
      resolve({ reused, session, ticket })
    }
    socket.once('secureConnect', () => {
      reused = socket.isSessionReused()
      socket.write(question(serverName))
    })
    socket.on('session', (given) => {
      session = given
      ticket = socket.getTLSTicket()
      settle(false)
    })
    socket.on('data', (data) => {
      if (isGood(answer) === undefined) answer = Buffer.concat([answer, data])
      if (isGood(answer) === false) reject(new Error(`an answer that is no good: ${wordsOf(answer)}`))
      settle(false)
    })
    socket.once('error', reject)
    socket.once('close', () => {
      settle(true)
      reject(new Error('closed before it answered'))
    })
  })
}

function wordsOf(answer: Buffer): string {
  return JSON.stringify(answer.subarray(0, 40).toString('latin1'))
}
