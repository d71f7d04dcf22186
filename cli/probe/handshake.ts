import { connect as connectTcp } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { CertificateRequestWatch, watched } from './certificate-request.ts'
import type { Endpoint } from './endpoint.ts'
import { announcedLifetime } from './session.ts'

export const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
export type Version = (typeof VERSIONS)[number]

/** What one handshake showed. */
export type Handshake =
  | {
      readonly kind: 'answered'
      readonly reused: boolean
      /** The session to resume, and the ticket in it: where the server gave one. */
      readonly session?: Buffer
      readonly ticket?: Buffer
      /** Seconds that the server announces for the ticket (RFC 5077 §3.3, RFC 8446 §4.6.1). */
      readonly lifetime?: number
      readonly asksForCertificate: boolean
    }
  /** By a TLS alert. */
  | { readonly kind: 'refused'; readonly why: string; readonly asksForCertificate: boolean }
  /** No TLS came back. */
  | { readonly kind: 'failed'; readonly why: string }

export interface HandshakeOptions {
  readonly version: Version
  /** A session to resume. */
  readonly session?: Buffer
  /** ms for the whole handshake. */
  readonly patience: number
}

/** A TLS 1.3 ticket comes after the handshake, if one comes at all (ms). */
const TICKET_WAIT = 1_000

/**
 * One handshake as a client without a certificate makes it, and the ticket it is given. Nothing is asked of the
 * application, and no certificate is verified: tickets are what is looked at.
 */
export async function handshake(endpoint: Endpoint, options: HandshakeOptions): Promise<Handshake> {
  const watch = new CertificateRequestWatch()
  const tcp = connectTcp({ host: endpoint.host, port: endpoint.port, noDelay: true })
  tcp.setTimeout(options.patience, () => tcp.destroy(new Error('no answer')))
  const socket = connect({
    socket: watched(tcp, watch),
    servername: endpoint.serverName,
    minVersion: options.version,
    maxVersion: options.version,
    rejectUnauthorized: false,
    ...(options.session === undefined ? {} : { session: options.session }),
  })
  try {
    return await heard(socket, watch, options.patience)
  } finally {
    socket.destroy()
    tcp.destroy()
  }
}

/** A session that the server gave, as it was when it came. */
interface Given {
  readonly session: Buffer
  readonly ticket: Buffer | undefined
}

function heard(socket: TLSSocket, watch: CertificateRequestWatch, patience: number): Promise<Handshake> {
  const timers: NodeJS.Timeout[] = []
  return new Promise<Handshake>((resolve) => {
    let given: Given | undefined
    // Asked while the connection is there: of one that is closed, Node ends with it.
    let reused: boolean | undefined
    const answer = () => resolve(answered(reused === true, given, watch))
    const giveUp = (why: string) => (reused === undefined ? resolve(failed(why)) : answer())
    timers.push(setTimeout(() => giveUp('no answer'), patience))
    socket.on('session', (session) => {
      given ??= { session, ticket: ticketOf(socket) }
      if (reused !== undefined) answer()
    })
    socket.once('secureConnect', () => {
      reused = socket.isSessionReused()
      if (given !== undefined) answer()
      else timers.push(setTimeout(answer, TICKET_WAIT))
    })
    socket.on('error', (error) => resolve(refusalOf(error, watch)))
    socket.once('close', () => giveUp('it closed the connection in the handshake'))
  }).finally(() => timers.forEach(clearTimeout))
}

function answered(reused: boolean, given: Given | undefined, watch: CertificateRequestWatch): Handshake {
  const ticket = given?.ticket
  const lifetime = given === undefined ? undefined : announcedLifetime(given.session)
  return {
    kind: 'answered',
    reused,
    asksForCertificate: watch.seen,
    ...(given === undefined ? {} : { session: given.session }),
    ...(ticket === undefined ? {} : { ticket }),
    ...(ticket === undefined || lifetime === undefined ? {} : { lifetime }),
  }
}

/** A TLS 1.3 server with tickets switched off sends a session id in a ticket's place. */
const LONGEST_SESSION_ID = 32

function ticketOf(socket: TLSSocket): Buffer | undefined {
  const ticket: Buffer | null | undefined = socket.getTLSTicket()
  return ticket == null || ticket.length <= LONGEST_SESSION_ID ? undefined : ticket
}

/** A certificate alert is one that a client without a certificate meets (RFC 8446 §6.2). */
const CERTIFICATE_REQUIRED = /CERTIFICATE_REQUIRED/

/** OpenSSL leaves the word out of the names of alerts that came with extensions, such as unrecognized_name (RFC 6066 §9). */
const ALERT = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(\w+)$/

function refusalOf(
  error: NodeJS.ErrnoException & { reason?: string },
  watch: CertificateRequestWatch,
): Handshake {
  const { code = '', message, reason = message } = error
  const [, alert] = ALERT.exec(code) ?? []
  if (alert === undefined) return failed(WORDS[code] ?? reason.slice(0, 200))
  return {
    kind: 'refused',
    why: `the alert ${alert.toLowerCase().replaceAll('_', ' ')}`,
    asksForCertificate: watch.seen || CERTIFICATE_REQUIRED.test(code),
  }
}

function failed(why: string): Handshake {
  return { kind: 'failed', why }
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'it closed the connection in the handshake',
  EHOSTUNREACH: 'no route to it',
  ENETUNREACH: 'no route to it',
  ENOTFOUND: 'a name that does not resolve',
  EAI_AGAIN: 'a name that does not resolve for now',
  ERR_SSL_WRONG_VERSION_NUMBER: 'an answer that is no TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'an answer that is no TLS',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'another version of TLS',
}
