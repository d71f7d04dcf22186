import http from 'node:http'
import https from 'node:https'
import type { LookupFunction, Socket, TcpNetConnectOpts } from 'node:net'
import tls from 'node:tls'

export type Connect = (options: TcpNetConnectOpts) => Socket

export interface Agents {
  readonly plain: http.Agent
  readonly secure: https.Agent
}

export function agentsFor(
  maxSockets: number,
  lookup: LookupFunction,
  ca: { ca?: string[] },
  connect: Connect | undefined,
): Agents {
  const options = { keepAlive: true, maxSockets, lookup }
  const plain = new http.Agent(options)
  // Whatever the environment says of TLS: it is verified.
  const secure = new https.Agent({ ...options, ...ca, rejectUnauthorized: true })
  if (connect !== undefined) {
    plain.createConnection = (wanted) => connect(wanted as TcpNetConnectOpts)
    secure.createConnection = (wanted: tls.ConnectionOptions) =>
      tls.connect({ ...wanted, socket: connect(wanted as TcpNetConnectOpts) })
  }
  return { plain, secure }
}
