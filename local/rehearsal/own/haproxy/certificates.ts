/** Certificates of haproxy.cfg: `crt`, `crt-list`, `ca-file`. Source: configuration manual, bind options. */
import { isAbsolute, join } from 'node:path'
import type { Findings, Spot } from '../findings.ts'
import { askable, type Disk, namesOfFile, type RewrittenLine, type Word } from '../places.ts'
import { CRT_LIST_OPTIONS } from './allowed.ts'
import { readOptions } from './options.ts'

/** Folders that relative paths begin in. */
export interface Bases {
  crt: string
  ca: string
}

/** A certificate as the copy names it, and whom clients ask for there. */
export interface Presented {
  readonly word: Word
  readonly names: readonly string[]
}

/** A list of certificates in the copy's own folder. */
export interface CrtList extends Presented {
  readonly lines: readonly RewrittenLine[]
  readonly name: string
}

export class Certificates {
  readonly #disk: Disk
  readonly #bases: Bases
  readonly #findings: Findings
  /** The rewritten lists. */
  readonly lists: CrtList[] = []

  constructor(disk: Disk, bases: Bases, findings: Findings) {
    this.#disk = disk
    this.#bases = bases
    this.#findings = findings
  }

  /** The user's own where it can be read; else one of the rehearsal's for the names that are known. */
  certificate(spot: Spot, path: string, wanted: readonly string[] = []): Presented {
    const file = isAbsolute(path) ? path : join(this.#bases.crt, path)
    const found = this.#disk.namesIn(file)
    if (found !== undefined) return { word: file, names: wanted.length > 0 ? wanted : askable(found) }
    const names = wanted.length > 0 ? wanted : namesOfFile(path)
    this.#findings.say(
      spot,
      `${path} is not there, or cannot be read: a certificate of the rehearsal's for ${names.join(', ')}`,
    )
    return { word: (places) => places.certificate(names).bundle, names }
  }

  /** The user's own where it can be read; else the rehearsal's, that of its root. */
  authority(spot: Spot, path: string): Word {
    const file = isAbsolute(path) ? path : join(this.#bases.ca, path)
    // As "@system-ca".
    if (path.startsWith('@')) return path
    if (this.#disk.isReadable(file)) return file
    this.#findings.say(spot, `${path} is not there, or cannot be read: the rehearsal's own authority`)
    return (places) => places.root
  }

  /** An option whose file only narrows what is accepted: without words where it cannot be read. */
  optional(spot: Spot, option: string, path: string): readonly Word[] {
    const file = isAbsolute(path) ? path : join(this.#bases.ca, path)
    if (this.#disk.isReadable(file)) return [option, file]
    this.#findings.say(spot, `${path} is not there, or cannot be read: left out`)
    return []
  }

  /** A copy of the list with its paths moved; undefined where it cannot be read. */
  list(spot: Spot, path: string): Presented | undefined {
    const file = isAbsolute(path) ? path : join(this.#bases.crt, path)
    const text = this.#disk.read(file)
    if (text === undefined) return undefined
    const lines: RewrittenLine[] = []
    const names: string[] = []
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      const entry = this.#entry({ file: path, line: index + 1 }, line)
      if (entry === undefined) continue
      lines.push({ words: entry.words, line: index + 1 })
      names.push(...entry.names)
    }
    const name = `crt-list-${this.lists.length + 1}`
    const list = { word: (places: { file(name: string): string }) => places.file(name), names, lines, name }
    if (names.length === 0) this.#findings.refuse(spot, `${path} names no open certificate`, 'name one')
    this.lists.push(list)
    return list
  }

  #entry(spot: Spot, line: string): { words: readonly Word[]; names: readonly string[] } | undefined {
    const plain = line.replace(/#.*$/, '').trim()
    if (plain === '') return undefined
    const [, path = '', options = '', filters = ''] =
      /^([^\s[\]]+)\s*(?:\[([^[\]]*)\])?\s*([^[\]]*)$/.exec(plain) ?? []
    if (path === '' || /["'\\]/.test(plain)) {
      this.#findings.refuse(spot, 'wanted a certificate, options in brackets and names', 'write it so')
      return undefined
    }
    const { words, guarded } = this.#options(
      spot,
      options.split(/\s+/).filter((word) => word !== ''),
    )
    const patterns = filters.split(/\s+/).filter((word) => word !== '')
    const wanted = askable(patterns.filter((pattern) => !pattern.startsWith('!')))
    const { word, names } = this.certificate(spot, path, wanted)
    const bracketed: readonly Word[] = words.length === 0 ? [] : ['[', ...words, ']']
    return { words: [word, ...bracketed, ...patterns], names: guarded ? [] : names }
  }

  #options(spot: Spot, options: readonly string[]): { words: readonly Word[]; guarded: boolean } {
    const more: Word[] = []
    const where = { spot, findings: this.#findings, what: 'crt-list' }
    const kept = readOptions(options, CRT_LIST_OPTIONS, where, (option, [path = '']) => {
      if (option === 'ca-file' || option === 'ca-verify-file') more.push(option, this.authority(spot, path))
      else if (option === 'crl-file') more.push(...this.optional(spot, option, path))
      else return undefined
      return 1
    })
    const guarded = kept.some((word, at) => word === 'verify' && kept[at + 1] === 'required')
    return { words: [...kept, ...more], guarded }
  }
}
