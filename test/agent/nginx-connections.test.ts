/**
 * Fifty WebSockets and clients that keep on posting, while nginx is brought twenty rings and as many staples. What it counts
 * stands in docs/machines.md.
 */
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { Agent, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Ring } from '../../lambda/ring/ring.ts'
import { SERVER_NAME } from './identity.ts'
import { advanced, Instance, ringOf } from './instance.ts'
import { StapleInstance } from './staple-instance.ts'

const ROTATIONS = 20
const WEBSOCKETS = 50
const POSTING = 8

let machine: Instance
let staples: StapleInstance
let backend: Server
let ring: Ring
beforeEach(async () => {
  backend = await startBackend()
  ring = ringOf(1)
  machine = await Instance.start('nginx', ring)
  const file = join(machine.terminator.directory, 'nginx.conf')
  const { port } = backend.address() as AddressInfo
  const passed = `location / { proxy_pass http://127.0.0.1:${port}; proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection; proxy_read_timeout 1h; }`
  const [before = '', after = ''] = readFileSync(file, 'utf8').split(
    /(?<=listen 127\.0\.0\.1:\d+ ssl;) {2}return 200 ok;/,
  )
  writeFileSync(file, `${before} ${passed}${after}`)
  await machine.terminator.halt()
  await machine.terminator.restart()
  staples = StapleInstance.on(machine)
  await machine.run()
  await staples.staple({ from: -10 })
})
afterEach(async () => {
  await machine.stop()
  backend.closeAllConnections()
  backend.close()
})

/** Answers posts, and gives back what it gets on a WebSocket. */
async function startBackend(): Promise<Server> {
  const server = createServer((asked, answer) => asked.resume().on('end', () => answer.end('done')))
  server.keepAliveTimeout = 0
  server.on('upgrade', (asked, socket: Duplex) => {
    const key = `${asked.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    const accept = createHash('sha1').update(key).digest('base64')
    socket.on('error', () => undefined)
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

class WebSocketClient {
  readonly #socket: TLSSocket
  #hear: ((text: string) => void) | undefined
  isOpen = true

  private constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.on('data', (data: Buffer) => this.#hear?.(data.toString('latin1')))
    socket.on('close', () => {
      this.isOpen = false
      this.#hear?.('')
    })
  }

  /** RFC 6455 §4.1. */
  static async open(port: number): Promise<WebSocketClient> {
    const socket = connect({ host: '127.0.0.1', port, servername: SERVER_NAME, rejectUnauthorized: false })
    socket.on('error', () => undefined)
    const asked = [
      'GET /socket HTTP/1.1',
      `Host: ${SERVER_NAME}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
    ]
    const key = `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`
    socket.write([...asked, 'Sec-WebSocket-Version: 13', key, '', ''].join('\r\n'))
    const client = new WebSocketClient(socket)
    if (!(await client.#next()).startsWith('HTTP/1.1 101')) throw new Error('no WebSocket')
    return client
  }

  /** Whether a message, which the backend gives back, comes through. */
  async echoes(): Promise<boolean> {
    if (!this.isOpen) return false
    const text = randomBytes(8).toString('hex')
    const [mask, payload] = [randomBytes(4), Buffer.from(text)]
    const masked = payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0))
    const frame = Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, masked])
    const answered = this.#next()
    this.#socket.write(frame)
    return Buffer.from(await answered, 'latin1').equals(frame)
  }

  #next(): Promise<string> {
    return new Promise((resolve) => {
      this.#hear = resolve
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** A client that posts on connections that it keeps, until it is told to end. */
class PostingClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #port: number
  posts = 0
  /** On a connection that was kept, which nginx closed at that moment: a client may send it again. */
  closed = 0
  /** What no client may send again, or what failed twice. */
  lost: string[] = []

  constructor(port: number) {
    this.#port = port
  }

  async run(isOver: () => boolean): Promise<void> {
    // A pause, in which the connection is kept and nothing is under way.
    for (; !isOver(); await sleep(20)) {
      this.posts += 1
      const first = await this.#post()
      if (first === 'closed') {
        this.closed += 1
        const second = await this.#post()
        if (second !== 'done') this.lost.push(second)
      } else if (first !== 'done') this.lost.push(first)
    }
    this.#agent.destroy()
  }

  #post(): Promise<string> {
    const options = {
      host: '127.0.0.1',
      port: this.#port,
      servername: SERVER_NAME,
      rejectUnauthorized: false,
    }
    return new Promise((resolve) => {
      const asking = request({ ...options, agent: this.#agent, method: 'POST', path: '/' }, (answer) => {
        let body = ''
        answer.on('data', (data: Buffer) => {
          body += data
        })
        answer.on('end', () => resolve(answer.statusCode === 200 ? body : String(answer.statusCode)))
        answer.on('error', (error) => resolve(`in the answer: ${error.message}`))
      })
      asking.on('error', (error) =>
        resolve(asking.reusedSocket ? 'closed' : `on a new connection: ${error.message}`),
      )
      asking.end('what is posted')
    })
  }
}

function reloads(): number {
  const log = readFileSync(join(machine.terminator.directory, 'error.log'), 'utf8')
  return log.split('signal 1 (SIGHUP)').length - 1
}

function oldWorkers(): number {
  const master = machine.terminator.pid()
  const children = readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim().split(' ')
  return children.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('shutting down')
    } catch {
      // It has ended since.
      return false
    }
  }).length
}

/** The next ring and the next staple, together. */
async function rotate(hour: number) {
  ring = advanced(ring)
  machine.publish(ring)
  staples.publish({ from: -9 + hour / 10 })
  const [one, other] = await Promise.all([machine.run(), staples.run()])
  return [one.line, other.line]
}

test('no WebSocket is dropped in twenty rotations, each of a ring and a staple, and no post is lost', async () => {
  machine.set('NGINX_MAX_DRAINING=100')
  staples.set('NGINX_MAX_DRAINING=100')
  const { plain } = machine.terminator.ports
  const sockets: WebSocketClient[] = []
  const posting = Array.from({ length: POSTING }, () => new PostingClient(plain))
  let isOver = false
  const running = posting.map((client) => client.run(() => isOver))
  const before = reloads()
  let mostOld = 0
  for (let turn = 1; turn <= ROTATIONS; turn += 1) {
    // Some come with each generation, so that many workers have one that they must not drop.
    while (sockets.length < Math.min(WEBSOCKETS, 5 * turn)) sockets.push(await WebSocketClient.open(plain))
    for (const { result, error } of await rotate(turn))
      expect(['applied', 'unchanged']).toContain(error ?? result)
    mostOld = Math.max(mostOld, oldWorkers())
    expect(await Promise.all(sockets.map((socket) => socket.echoes()))).toEqual(sockets.map(() => true))
  }
  isOver = true
  await Promise.all(running)
  const took = reloads() - before
  const sum = (count: (client: PostingClient) => number) =>
    posting.reduce((all, each) => all + count(each), 0)
  console.info(
    `${sockets.length} WebSockets, ${sum(({ posts }) => posts)} posts, ${sum(({ closed }) => closed)} on a connection that was closed and sent again; ${took} reloads, at most ${mostOld} old workers`,
  )
  for (const socket of sockets) socket.close()
  expect(sockets).toHaveLength(WEBSOCKETS)
  expect(posting.flatMap(({ lost }) => lost)).toEqual([])
  expect(took).toBeGreaterThanOrEqual(ROTATIONS)
  expect(took).toBeLessThanOrEqual(2 * ROTATIONS)
  // Nothing but the WebSockets kept them.
  await expect.poll(oldWorkers).toBe(0)
}, 600_000)

test('old workers that WebSockets keep hold up the rings that follow, until they are gone', async () => {
  machine.set('NGINX_MAX_DRAINING=1')
  staples.set('NGINX_MAX_DRAINING=1')
  const { plain } = machine.terminator.ports
  const sockets: WebSocketClient[] = []
  const details: string[] = []
  for (let turn = 1; turn <= ROTATIONS && details.length === 0; turn += 1) {
    for (let more = 0; more < 5; more += 1) sockets.push(await WebSocketClient.open(plain))
    const lines = await rotate(turn)
    details.push(...lines.flatMap(({ error, detail = '' }) => (error === 'reload-deferred' ? [detail] : [])))
  }
  // One for each of the two that serve.
  expect(details[0]).toMatch(/wanted at most 2 old workers of nginx, found [3-9], the oldest of \d+ s/)
  expect(await Promise.all(sockets.map((socket) => socket.echoes()))).toEqual(sockets.map(() => true))
  for (const socket of sockets) socket.close()
  await expect.poll(oldWorkers).toBe(0)
  expect((await machine.run()).line).toMatchObject({ encryptsWith: ring.current.name, verified: 'handshake' })
}, 600_000)
