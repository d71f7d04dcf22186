/** A user's nginx.conf, with every address moved to loopback. */
import { isIP } from 'node:net'
import { dirname, resolve } from 'node:path'
import { Findings, type Spot } from '../findings.ts'
import { askable, type Disk, FALLBACK_NAME, namesOfFile, type Word } from '../places.ts'
import { BLOCKS, isLeft, KEPT, MAIN_KEPT, MAIN_LEFT, PASSES, TABLES, WHY } from './allowed.ts'
import { Includes } from './include.ts'
import { type Listen, Sockets } from './listen.ts'
import type { Node } from './words.ts'

/** A directive of the copy; without a spot where it was added. */
export interface Line {
  readonly words: readonly Word[]
  readonly spot?: Spot
  readonly block?: readonly Line[]
}

/** What http{} and each server say of tickets. */
export interface Level {
  readonly spot: Spot
  /** What is kept of its directives: the ring's are added to these. */
  readonly lines: Line[]
  /** Its `ssl_session_ticket_key` lines. */
  readonly keys: { readonly spot: Spot; readonly path: string }[]
  tickets?: boolean
  /** What it says of client certificates. */
  verify?: string
  timeout?: { readonly spot: Spot; readonly seconds: number }
}

export interface Server extends Level {
  readonly listens: readonly Listen[]
  readonly names: readonly string[]
}

export interface ReadNginx {
  readonly file: string
  readonly main: readonly Line[]
  readonly http: Level | undefined
  readonly servers: readonly Server[]
  readonly sockets: Sockets
  readonly findings: Findings
}

interface Given {
  readonly file: string
  readonly text: string
  readonly disk: Disk
}

/** Reads the file and what it includes; what is in its way is among the findings. */
export function readNginx({ file, text, disk }: Given): ReadNginx {
  const findings = new Findings(file)
  const nodes = new Includes(file, disk, findings).read(text, file)
  return new NginxReader(file, disk, findings).read(nodes)
}

class NginxReader {
  readonly #file: string
  readonly #folder: string
  readonly #disk: Disk
  readonly #findings: Findings
  readonly #sockets: Sockets
  readonly #servers: Server[] = []
  #http: Level | undefined

  constructor(file: string, disk: Disk, findings: Findings) {
    this.#file = file
    this.#folder = dirname(resolve(file))
    this.#disk = disk
    this.#findings = findings
    this.#sockets = new Sockets(findings)
  }

  read(nodes: readonly Node[]): ReadNginx {
    const main = nodes.flatMap((node) => this.#main(node))
    const [http, servers, sockets, findings] = [this.#http, this.#servers, this.#sockets, this.#findings]
    return { file: this.#file, main, http, servers, sockets, findings }
  }

  #main(node: Node): readonly Line[] {
    const { words, spot, block } = node
    const [directive = ''] = words
    if (directive === 'http' && block !== undefined) {
      this.#readHttp(spot, block)
      return []
    }
    if (MAIN_KEPT.has(directive)) return [{ words, spot }]
    if (MAIN_LEFT.has(directive)) this.#findings.leaveOut(spot, directive)
    else this.#refuse(spot, words)
    return []
  }

  #readHttp(spot: Spot, block: readonly Node[]): void {
    if (this.#http !== undefined) this.#findings.refuse(spot, 'a second http block', 'keep one in a copy')
    const http: Level = { spot, lines: [], keys: [] }
    this.#http = http
    const isServer = ({ words: [directive], block: inside }: Node) =>
      directive === 'server' && inside !== undefined
    http.lines.push(
      ...this.#level(
        block.filter((node) => !isServer(node)),
        http,
      ),
    )
    http.lines.push(...this.#certificates(block, [FALLBACK_NAME]).lines)
    for (const node of block.filter(isServer)) this.#servers.push(this.#server(node))
  }

  #server({ spot, block = [] }: Node): Server {
    const listens = block
      .filter(({ words: [directive] }) => directive === 'listen')
      .flatMap(({ words: [, ...rest], spot: of }) => this.#sockets.read(rest, of))
    const all = listens.length > 0 ? listens : [this.#sockets.unnamed()]
    const wanted = namesOfServer(block)
    const { lines, names } = this.#certificates(block, wanted)
    const server: Server = { spot, lines: [], keys: [], listens: all, names }
    const own = all.map(({ socket, options }) => ({ words: ['listen', socket.here, ...options], spot }))
    server.lines.push(...own, ...this.#level(block, server), ...lines)
    return server
  }

  /** The directives of http{} or a server; what they say of tickets is noted there. */
  #level(block: readonly Node[], level: Level): readonly Line[] {
    return block.flatMap((node) => {
      const { words, spot } = node
      const [directive = '', value = ''] = words
      switch (directive) {
        case 'listen':
        case 'ssl_certificate':
        case 'ssl_certificate_key':
          return []
        case 'ssl_session_ticket_key':
          level.keys.push({ spot, path: value })
          return []
        case 'ssl_session_timeout':
          level.timeout = { spot, seconds: secondsOf(value) }
          return []
        case 'ssl_session_tickets':
          level.tickets = value !== 'off'
          break
        case 'ssl_verify_client':
          level.verify = value
          break
        default:
      }
      return this.#directive(node)
    })
  }

  #directive(node: Node): readonly Line[] {
    const { words, spot, block } = node
    const [directive = '', ...rest] = words
    if (TABLES.has(directive) && block !== undefined)
      return [{ words, spot, block: block.flatMap((row) => this.#row(row)) }]
    if (BLOCKS.has(directive) && block !== undefined)
      return [{ words, spot, block: block.flatMap((each) => this.#directive(each)) }]
    if (PASSES.has(directive))
      return [{ words: ['proxy_pass', ({ backend }) => `http://127.0.0.1:${backend}`], spot }]
    if (isLeft(directive)) {
      this.#findings.leaveOut(spot, directive)
      return []
    }
    if (directive === 'set_real_ip_from') return this.#realIp(rest, node)
    if (FILES.has(directive)) return this.#file_(directive, rest[0] ?? '', spot)
    if (KEPT.has(directive) && block === undefined) return [{ words, spot }]
    this.#refuse(spot, words)
    return []
  }

  #row({ words, spot, block }: Node): readonly Line[] {
    if (block === undefined) return [{ words, spot }]
    this.#refuse(spot, words)
    return []
  }

  /** A name would be looked up when nginx starts. */
  #realIp([address = '']: readonly string[], { words, spot }: Node): readonly Line[] {
    if (address === 'unix:' || isIP(address.replace(/\/\d+$/, '')) > 0) return [{ words, spot }]
    this.#findings.refuse(
      spot,
      `set_real_ip_from ${address}: a name, which is looked up`,
      'write its address in a copy',
    )
    return []
  }

  #file_(directive: string, path: string, spot: Spot): readonly Line[] {
    const file = resolve(this.#folder, path)
    if (this.#disk.isReadable(file)) return [{ words: [directive, file], spot }]
    if (FILES.get(directive) === 'optional') {
      this.#findings.say(spot, `${path} is not there, or cannot be read: left out`)
      return []
    }
    this.#findings.say(spot, `${path} is not there, or cannot be read: the rehearsal's own authority`)
    return [{ words: [directive, ({ root }) => root], spot }]
  }

  /** Pairs of certificate and key: the user's own where both can be read; and whom clients ask for there. */
  #certificates(block: readonly Node[], wanted: readonly string[]) {
    const of = (name: string) => block.filter(({ words: [directive] }) => directive === name)
    const keys = of('ssl_certificate_key')
    const lines: Line[] = []
    const found: string[] = []
    for (const [index, { words, spot }] of of('ssl_certificate').entries()) {
      const path = words[1] ?? ''
      const key = keys[index]?.words[1] ?? ''
      if (`${path}${key}`.includes('$')) {
        this.#findings.refuse(
          spot,
          `ssl_certificate ${path}: a name that is made at run time`,
          'name a file in a copy',
        )
        continue
      }
      const [file, keyFile] = [resolve(this.#folder, path), resolve(this.#folder, key)]
      const names = this.#disk.namesIn(file, keyFile)
      const own = wanted.length > 0 ? wanted : namesOfFile(path)
      found.push(...(names ?? own))
      if (names === undefined)
        this.#findings.say(
          spot,
          `${path}, or its key, cannot be read: a certificate of the rehearsal's for ${own.join(', ')}`,
        )
      lines.push(
        {
          words: ['ssl_certificate', names ? file : ({ certificate }) => certificate(own).certificate],
          spot,
        },
        {
          words: ['ssl_certificate_key', names ? keyFile : ({ certificate }) => certificate(own).privateKey],
          spot,
        },
      )
    }
    return { lines, names: wanted.length > 0 ? wanted : askable(found) }
  }

  #refuse(spot: Spot, [directive = '']: readonly string[]): void {
    const why = WHY.find(([like]) => like.test(directive))?.[1]
    this.#findings.refuse(spot, `${directive}: ${why ?? 'not known to do no harm'}`)
  }
}

/** Directives with one file: an authority, or what only narrows or adds. */
const FILES = new Map<string, 'authority' | 'optional'>([
  ['ssl_client_certificate', 'authority'],
  ['ssl_trusted_certificate', 'authority'],
  ['ssl_crl', 'optional'],
  ['ssl_dhparam', 'optional'],
  ['ssl_password_file', 'optional'],
])

const UNITS: Readonly<Record<string, number>> = {
  ...{ ms: 1e-3, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800, M: 2_592_000, y: 31_536_000 },
}

/** Of a time as nginx has them: 1h 30m, or seconds. */
function secondsOf(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  const parts = [...text.matchAll(/(\d+)(ms|[smhdwMy])?\s*/g)]
  return parts.reduce((sum, [, count, unit = 's']) => sum + Number(count) * (UNITS[unit] ?? 1), 0)
}

/** Names that a client can ask a server for: none of a pattern, and of a wildcard one below it. */
function namesOfServer(block: readonly Node[]): readonly string[] {
  const names = block.flatMap(({ words: [directive, ...rest] }) => (directive === 'server_name' ? rest : []))
  return askable(names.filter((name) => !name.startsWith('~')).map((name) => name.replace(/^\./, '*.')))
}
