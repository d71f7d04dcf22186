/** Sessions and tickets of a TLS client, which it takes from one listener and brings to another. */
import { connect, type SecureVersion, type TLSSocket } from 'node:tls'
import { SERVER_NAME } from './identity.ts'

export const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const

/** A session of a full handshake; TLS 1.3 sends it afterwards. */
export function takeSession(port: number, version: SecureVersion): Promise<Buffer> {
  return withSocket(port, version, undefined, (socket, resolve) => socket.once('session', resolve))
}

/** Whether the listener resumes the session; it serves the client in any case. */
export function resumes(port: number, version: SecureVersion, session: Buffer): Promise<boolean> {
  return withSocket(port, version, session, (socket, resolve) =>
    socket.once('secureConnect', () => resolve(socket.isSessionReused())),
  )
}

function withSocket<T>(
  port: number,
  version: SecureVersion,
  session: Buffer | undefined,
  hear: (socket: TLSSocket, resolve: (value: T) => void) => void,
): Promise<T> {
  const options = { port, host: '127.0.0.1', servername: SERVER_NAME, rejectUnauthorized: false }
  const socket = connect({
    ...options,
    minVersion: version,
    maxVersion: version,
    ...(session && { session }),
  })
  const heard = new Promise<T>((resolve, reject) => {
    hear(socket, resolve)
    socket.once('error', reject)
    socket.once('close', () => reject(new Error(`${port} closed without an answer`)))
  })
  return heard.finally(() => socket.destroy())
}

/** Takes a ticket of TLS 1.2, where it comes with the handshake. */
export function takeTicket(port: number, version: SecureVersion = 'TLSv1.2'): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', servername: SERVER_NAME, rejectUnauthorized: false }
    const socket = connect({ ...options, minVersion: version, maxVersion: version }, () => {
      const ticket = socket.getTLSTicket()
      socket.destroy()
      if (ticket === undefined) reject(new Error('the server gave no ticket'))
      else resolve(ticket)
    })
    socket.once('error', reject)
  })
}
