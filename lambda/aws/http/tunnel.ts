import http, { type RequestOptions } from 'node:http'
import type { Socket } from 'node:net'
import { type ErrorCode, TicketringError } from '../../kernel/errors.ts'
import { excerpt } from '../../kernel/excerpt.ts'
import { bare } from './url.ts'

/** CONNECT to the origin through the proxy (RFC 9110 §9.3.6). */
export function openTunnel(proxy: URL, { hostname, port }: URL, signal: AbortSignal): Promise<Socket> {
  const authority = `${hostname}:${port || 443}`
  const options: RequestOptions = {
    host: bare(proxy.hostname),
    port: proxy.port || 80,
    method: 'CONNECT',
    path: authority,
    headers: { Host: authority },
    signal,
  }
  return new Promise((resolve, reject) => {
    const request = http.request({ ...options, agent: false })
    request.on('connect', ({ statusCode }, socket) => {
      if (statusCode === 200) return resolve(socket)
      socket.destroy()
      const wanted = `a tunnel to ${excerpt(authority)} through ${proxy.host}`
      reject(new TicketringError(codeOf(statusCode), { wanted, came: `HTTP status ${statusCode}` }))
    })
    request.on('error', reject)
    request.end()
  })
}

/** A proxy that cannot reach the origin says 5xx, one that will not, 4xx. */
function codeOf(status = 0): ErrorCode {
  return status >= 400 && status < 500 ? 'proxy-refused' : 'responder-unreachable'
}
