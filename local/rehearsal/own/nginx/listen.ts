/** `listen` of nginx.conf. Source: ngx_http_core_module documentation. */
import { isIP } from 'node:net'
import type { Findings, Spot } from '../findings.ts'
import type { Word } from '../places.ts'

/** One listening socket, which several servers may share. */
export interface Socket {
  /** As a ring's `verify` names it; undefined where that is not known. */
  readonly named: string | undefined
  /** Which of the machine's ports; undefined for a socket of a file. */
  readonly port: number | undefined
  readonly here: Word
  isTls: boolean
  isProxied: boolean
}

/** What one server has of a socket. */
export interface Listen {
  readonly socket: Socket
  readonly options: readonly string[]
  readonly isDefault: boolean
}

const KEPT =
  /^(?:ssl|http2|proxy_protocol|default_server|default|bind|deferred|(?:backlog|rcvbuf|sndbuf|so_keepalive)=.*)$/
/** Of these reuseport would let another process share the port without a word. */
const LEFT = /^(?:reuseport|multipath|(?:ipv6only|setfib|fastopen|accept_filter)=.*)$/
const MOST_PORTS = 20
const PLAIN = 80

/** The sockets of a configuration: each has one port here, whichever servers share it. */
export class Sockets {
  readonly #findings: Findings
  readonly #sockets = new Map<string, Socket>()
  #ports = 0

  constructor(findings: Findings) {
    this.#findings = findings
  }

  get ports(): number {
    return this.#ports
  }

  /** @returns none where it is left out or refused. */
  read([address = '', ...options]: readonly string[], spot: Spot): readonly Listen[] {
    if (options.includes('quic')) {
      this.#findings.leaveOut(spot, 'listen … quic')
      return []
    }
    const kept: string[] = []
    for (const option of options) {
      if (KEPT.test(option)) kept.push(option)
      else if (LEFT.test(option)) this.#findings.leaveOut(spot, `listen ${option.replace(/=.*/, '')}`)
      else this.#findings.refuse(spot, `listen ${option}: not known to do no harm`)
    }
    return this.#socketsAt(address, spot).map((socket) => {
      socket.isTls ||= kept.includes('ssl')
      socket.isProxied ||= kept.includes('proxy_protocol')
      return { socket, options: kept, isDefault: kept.some((option) => option.startsWith('default')) }
    })
  }

  /** Of a server that names none: nginx would take port 80. */
  unnamed(): Listen {
    return { socket: this.#socket('127.0.0.1', PLAIN), options: [], isDefault: false }
  }

  /** One more, for a proof. */
  another(named: string): Socket {
    return this.#add(`another ${named}`, named)
  }

  #socketsAt(text: string, spot: Spot): readonly Socket[] {
    if (text.startsWith('unix:')) return [this.#file(text.slice('unix:'.length))]
    const [, host = '*', first = '', last = first] =
      /^(?:(\[[0-9a-fA-F:.]+\]|[^:[\]]+):)?(\d+)(?:-(\d+))?$/.exec(text) ??
      /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+)$/.exec(text) ??
      []
    const [from, to] = first === '' ? [PLAIN, PLAIN] : [Number(first), Number(last)]
    if (text === '' || from > to || from === 0 || to > 65_535 || to - from >= MOST_PORTS) {
      this.#findings.refuse(
        spot,
        `listen ${text}: wanted an address, a port or ${MOST_PORTS} ports at most`,
        'name one',
      )
      return []
    }
    return Array.from({ length: to - from + 1 }, (_, n) => this.#socket(host, from + n))
  }

  #socket(host: string, port: number): Socket {
    const name = ownHost(host)
    return this.#sockets.get(`${host}:${port}`) ?? this.#add(`${host}:${port}`, name && `${name}:${port}`)
  }

  #add(key: string, named: string | undefined): Socket {
    const port = this.#ports++
    const socket = { named, port, here: listensOn(port), isTls: false, isProxied: false }
    this.#sockets.set(key, socket)
    return socket
  }

  #file(path: string): Socket {
    const known = this.#sockets.get(path)
    if (known !== undefined) return known
    const name = `${this.#sockets.size}.sock`
    const socket: Socket = {
      named: `unix:${path}`,
      port: undefined,
      here: ({ file }) => `unix:${file(name)}`,
      isTls: false,
      isProxied: false,
    }
    this.#sockets.set(path, socket)
    return socket
  }
}

function listensOn(port: number): Word {
  return ({ ports }) => `127.0.0.1:${ports[port]}`
}

/** The address at which the machine itself reaches it. */
function ownHost(host: string): string | undefined {
  if (host === '*' || host === '0.0.0.0') return '127.0.0.1'
  if (host === '[::]') return '[::1]'
  if (host === 'localhost') return '127.0.0.1'
  return isIP(host.replace(/^\[(.*)\]$/, '$1')) > 0 ? host : undefined
}
