/** A user's haproxy.cfg, with every address moved to loopback. */
import { resolve } from 'node:path'
import { Findings, type Spot } from '../findings.ts'
import type { Disk, Word } from '../places.ts'
import type { Numbers } from './address.ts'
import { DEFAULT_BIND_OPTIONS, LEFT_SECTIONS, REFUSED_SECTIONS, SECTIONS, WHY } from './allowed.ts'
import { type Bind, readBind } from './bind.ts'
import { type Bases, Certificates, type CrtList } from './certificates.ts'
import { readOptions } from './options.ts'
import { keep } from './rules.ts'
import { isServer, readServer } from './server.ts'
import { readWords, UnreadableLine, type Variables } from './words.ts'

/** A line that is kept: words, or a listener of which the ring decides yet. */
export type Item = { readonly line: number } & ({ readonly words: readonly Word[] } | { readonly bind: Bind })

/** What was read of the file. */
export interface ReadHaproxy {
  readonly file: string
  readonly items: readonly Item[]
  readonly lists: readonly CrtList[]
  /** How many ports a machine needs. */
  readonly ports: number
  /** Path of the first runtime socket at level admin. */
  readonly socket: string | undefined
  /** Line of the first global section. */
  readonly global: number | undefined
  /** Seconds; undefined where it says none. */
  readonly lifetime: { readonly line: number; readonly seconds: number } | undefined
  readonly findings: Findings
}

interface Given {
  /** As its user named it. */
  readonly file: string
  /** Where relative paths begin that no base is given for. */
  readonly folder: string
  readonly text: string
  readonly disk: Disk
  readonly variables: Variables
}

/** Reads the file; what is in its way is among the findings. */
export function readHaproxy(given: Given): ReadHaproxy {
  const reader = new HaproxyReader(given)
  for (const [index, line] of given.text.split(/\r?\n/).entries()) reader.read(index + 1, line)
  return reader.result()
}

class HaproxyReader {
  readonly #given: Given
  readonly #findings: Findings
  readonly #items: Item[] = []
  readonly #bases: Bases
  readonly #certificates: Certificates
  #ports = 0
  #sockets = 0
  #socket: string | undefined
  #global: number | undefined
  #lifetime: ReadHaproxy['lifetime']
  /** The kind of section that is being read; undefined in one that is left out or refused. */
  #section: string | undefined = ''

  constructor(given: Given) {
    this.#given = given
    this.#findings = new Findings(given.file)
    this.#bases = { crt: given.folder, ca: given.folder }
    this.#certificates = new Certificates(given.disk, this.#bases, this.#findings)
  }

  result(): ReadHaproxy {
    return {
      file: this.#given.file,
      items: this.#items,
      lists: this.#certificates.lists,
      ports: this.#ports,
      socket: this.#socket,
      global: this.#global,
      lifetime: this.#lifetime,
      findings: this.#findings,
    }
  }

  read(line: number, text: string): void {
    const spot = { file: this.#given.file, line }
    try {
      const words = readWords(text, this.#given.variables)
      if (words.length === 0 || this.#decides(words, spot) || this.#begins(words, spot)) return
      if (this.#section === undefined) return
      this.#directive(words, spot)
    } catch (error) {
      if (!(error instanceof UnreadableLine)) throw error
      this.#findings.refuse(spot, error.message, 'write it out in a copy')
    }
  }

  /** Whether sections follow may hang on it, also in one that is left out. */
  #decides([directive = '']: readonly string[], spot: Spot): boolean {
    if (!directive.startsWith('.')) return false
    this.#findings.refuse(spot, `${directive} decides at start`, 'keep in a copy the lines that hold')
    return true
  }

  #begins(words: readonly string[], spot: Spot): boolean {
    const [kind = ''] = words
    if (LEFT_SECTIONS.has(kind)) {
      this.#section = undefined
      this.#findings.leaveOut(spot, `section ${kind}`)
      return true
    }
    if (REFUSED_SECTIONS.has(kind)) {
      this.#section = undefined
      this.#findings.refuse(spot, `section ${kind}: ${WHY.get(kind) ?? 'not known to do no harm'}`)
      return true
    }
    if (!SECTIONS.has(kind) || (kind === this.#section && kind === 'cache')) return false
    this.#section = kind
    if (kind === 'global') this.#global ??= spot.line
    this.#headed(words, spot)
    return true
  }

  #headed(words: readonly string[], spot: Spot): void {
    const isNamed = words.length <= 2 || (words.length === 4 && words[2] === 'from') || words[1] === 'from'
    if (isNamed) this.#items.push({ line: spot.line, words })
    else this.#findings.refuse(spot, 'an address beside a name of a section', 'give it a bind line in a copy')
  }

  #directive(words: readonly string[], spot: Spot): void {
    const [directive = '', second] = words
    const allowed = SECTIONS.get(this.#section ?? '')
    if (allowed === undefined) this.#findings.refuse(spot, `${directive} outside of any section`)
    else if (this.#section === 'global' && this.#global_(words, spot)) return
    else if (directive === 'bind') this.#bind(words, spot)
    else if (directive === 'errorfile') this.#errorFile(words, spot)
    else if (directive === 'stick-table') this.#keep(spot, withoutPeers(words))
    else if (isServer(directive)) this.#keep(spot, readServer(words, spot, this.#findings))
    else if (directive === 'tcp-request' && words[2] === 'expect-proxy')
      this.#findings.refuse(
        spot,
        `${directive} ${second} expect-proxy`,
        'put accept-proxy on its bind lines in a copy',
      )
    else this.#keep(spot, keep(words, allowed, spot, this.#findings))
  }

  /** What the global section has beside what is kept or left out. */
  #global_(words: readonly string[], spot: Spot): boolean {
    const [directive = '', value = ''] = words
    switch (directive) {
      case 'stats':
        if (value !== 'socket') return false
        this.#statsSocket(words, spot)
        return true
      case 'crt-base':
      case 'ca-base':
        this.#bases[directive === 'crt-base' ? 'crt' : 'ca'] = resolve(this.#given.folder, value)
        return true
      case 'tune.ssl.lifetime':
        this.#lifetime = { line: spot.line, seconds: secondsOf(value) }
        return true
      case 'ssl-default-bind-options':
        this.#defaultOptions(words, spot)
        return true
      case 'ssl-dh-param-file':
      case 'issuers-chain-path':
        this.#keepIfReadable(words, spot)
        return true
      default:
        return false
    }
  }

  #defaultOptions([directive = '', ...options]: readonly string[], spot: Spot): void {
    const known = { kept: DEFAULT_BIND_OPTIONS, left: new Map() }
    const kept = readOptions(options, known, { spot, findings: this.#findings, what: directive })
    if (kept.includes('no-tls-tickets'))
      this.#findings.refuse(spot, 'no-tls-tickets: without tickets a ring has nothing to do')
    this.#keep(spot, [directive, ...kept])
  }

  /** Each becomes a socket in the machine's own folder, with its level and nothing else. */
  #statsSocket([, , address = '', ...options]: readonly string[], spot: Spot): void {
    const level = options[options.indexOf('level') + 1]
    const isAdmin = options.includes('level') && level === 'admin'
    const path = address.replace(/^unix@/, '')
    const isOurs = isAdmin && path.startsWith('/') && this.#socket === undefined
    if (isOurs) this.#socket = path
    const number = this.#sockets++
    const name = isOurs ? 'admin.sock' : `stats-${number}.sock`
    const own = options.includes('level') ? ['level', level as string] : []
    this.#keep(spot, ['stats', 'socket', ({ file }) => file(name), 'mode', '600', ...own])
  }

  #bind([, ...words]: readonly string[], spot: Spot): void {
    const numbers: Numbers = { port: () => this.#ports++, socket: () => this.#sockets++ }
    const reading = { spot, findings: this.#findings, certificates: this.#certificates, numbers }
    const bind = readBind(words, reading)
    if (bind !== undefined) this.#items.push({ line: spot.line, bind })
  }

  #errorFile(words: readonly string[], spot: Spot): void {
    this.#keepIfReadable(words, spot)
  }

  /** Where its last word is a file that can be read. */
  #keepIfReadable(words: readonly string[], spot: Spot): void {
    const file = words.at(-1) ?? ''
    const path = resolve(this.#given.folder, file)
    if (this.#given.disk.isReadable(path)) this.#keep(spot, [...words.slice(0, -1), path])
    else this.#findings.leaveOut(spot, words[0] as string)
  }

  #keep({ line }: Spot, words: readonly Word[] | undefined): void {
    if (words !== undefined) this.#items.push({ line, words })
  }
}

function withoutPeers(words: readonly string[]): readonly string[] {
  const at = words.indexOf('peers')
  return at < 0 ? words : [...words.slice(0, at), ...words.slice(at + 2)]
}

const UNITS: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

/** Of a time, by default in seconds. */
function secondsOf(text: string): number {
  const [, number = '', unit = ''] = /^(\d+)(us|ms|s|m|h|d)?$/.exec(text) ?? []
  return number === '' ? Number.POSITIVE_INFINITY : Number(number) * (UNITS[unit] ?? 1)
}
