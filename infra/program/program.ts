/** The machine's program as it travels: one zipapp, the same bytes wherever and whenever it is built. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { strToU8, zipSync } from 'fflate'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { withoutRemarks } from './python-source.ts'

export interface Program {
  /** What is installed as `ticketring.pyz`. */
  readonly zipapp: Uint8Array
  /** SHA-256 of the zipapp, 64 hex digits: the name of the directory that it is installed in. */
  readonly hash: string
  /** What a result line names: the first 12 digits of the hash. */
  readonly version: string
  /** Its files as they are delivered, without what only people and type checkers read, in the zipapp's order. */
  readonly sources: readonly SourceFile[]
}

export interface SourceFile {
  /** Below the directory of the sources, with `/`. */
  readonly path: string
  readonly text: string
}

/** Where this project's own program is. */
export const AGENT = fileURLToPath(new URL('../../agent/', import.meta.url))

export const PACKAGE = 'ticketring'
/** Isolated (-I), and without what a distribution or an administrator adds at each start (-S). */
const SHEBANG = '#!/usr/bin/python3 -IS\n'
/** The first time that a zip file can tell. Read by the machine's clock and written as such: no time zone has a say. */
const NO_TIME = new Date(1980, 0, 1)

/** As Python's zipfile writes it by itself: the installer makes the same bytes of the sources. */
const UNIX = 3
const OWN_FILE = 0o600 << 16

let own: Program | undefined

/** This project's own, which documents carry. */
export function ownProgram(): Program {
  own ??= buildProgram()
  return own
}

/**
 * Builds the zipapp of `__main__.py` and the package `ticketring` below `directory`.
 * @throws TicketringError `configuration-invalid` for a file that does not belong into it.
 */
export function buildProgram(directory = AGENT): Program {
  const paths = ['__main__.py', ...filesBelow(directory, PACKAGE)].sort()
  return programOf(paths.map((path) => sourceOf(directory, path)))
}

/** The zipapp of these sources, in this order. */
export function programOf(sources: readonly SourceFile[]): Program {
  const members = Object.fromEntries(sources.map(({ path, text }) => [path, strToU8(text)]))
  // Stored, not compressed: Python starts it faster, and the document compresses it as a whole.
  const zip = zipSync(members, { level: 0, mtime: NO_TIME, os: UNIX, attrs: OWN_FILE })
  const zipapp = Buffer.concat([Buffer.from(SHEBANG), zip])
  const hash = createHash('sha256').update(zipapp).digest('hex')
  return { zipapp, hash, version: hash.slice(0, 12), sources }
}

/** What was read of each file, by what it held. */
const stripped = new Map<string, string>()

/** A source as it is delivered. */
export function sourceOf(directory: string, path: string): SourceFile {
  const written = readFileSync(join(directory, path), 'utf8')
  const text = stripped.get(written) ?? withoutRemarks(written, path)
  stripped.set(written, text)
  return { path, text }
}

function filesBelow(directory: string, folder: string): readonly string[] {
  return readdirSync(join(directory, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.name === '__pycache__') return []
    if (entry.isDirectory()) return filesBelow(directory, path)
    if (entry.isFile() && /^[a-z_][a-z0-9_]*\.py$/.test(entry.name)) return [path]
    throw new TicketringError('configuration-invalid', {
      wanted: `modules of Python and nothing else below ${PACKAGE}/`,
      came: path,
    })
  })
}
