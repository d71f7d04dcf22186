import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'

/** What a server does with a request whose body has come in full. */
export type Manners = (request: IncomingMessage, response: ServerResponse, body: Buffer) => unknown

/** A real HTTP server on loopback, with whatever manners a test gives it. */
export class TestServer {
  readonly requests: {
    method: string
    url: string
    headers: NodeJS.Dict<string | string[]>
    body: Buffer
  }[] = []
  /** Exchanges under way, now and at their most. */
  busy = 0
  busiest = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #scheme: 'http' | 'https'

  private constructor(listener: Manners, secure?: { key: string; cert: string }) {
    const counted: RequestListener = async (request, response) => {
      this.busiest = Math.max(this.busiest, ++this.busy)
      response.on('close', () => {
        this.busy -= 1
      })
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      const { method = '', url = '', headers } = request
      const body = Buffer.concat(parts)
      this.requests.push({ method, url, headers, body })
      listener(request, response, body)
    }
    this.#scheme = secure === undefined ? 'http' : 'https'
    this.#server = secure === undefined ? createServer(counted) : createSecureServer(secure, counted)
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
    })
  }

  static async start(listener: Manners, secure?: { key: string; cert: string }): Promise<TestServer> {
    const server = new TestServer(listener, secure)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  url(path = '/', host = '127.0.0.1'): string {
    return `${this.#scheme}://${host}:${this.port}${path}`
  }

  /** Open connections. */
  get connections(): number {
    return this.#sockets.size
  }

  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  onConnect(handle: (socket: Socket, head: Buffer, target: string) => void): void {
    this.#server.on('connect', (request, socket, head) => handle(socket as Socket, head, request.url ?? ''))
  }

  async close(): Promise<void> {
    this.dropConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
