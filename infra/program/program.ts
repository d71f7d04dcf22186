/** The machine's program as it travels: one zipapp, the same bytes wherever and whenever it is built. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { strToU8, zipSync } from 'fflate'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { KEY_SERVERS, KINDS, STAPLE_SERVERS } from '../servers/servers.ts'
import { withoutMeanings, withoutOffer, withoutRemarks } from './python-source.ts'
import { linesOf } from './python-tokens.ts'

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

interface SourceFile {
  /** Below the directory of the sources, with `/`. */
  readonly path: string
  readonly text: string
}

/** Where this project's own program is. */
export const AGENT = fileURLToPath(new URL('../../agent/', import.meta.url))

const PACKAGE = 'ticketring'
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

export type Capability = 'ring' | 'staples'

/** Modules that one capability has for itself. */
const OWN_MODULES: Readonly<Record<Capability, readonly string[]>> = {
  ring: [
    'ring',
    'keys',
    'state',
    'local',
    'launch',
    'tickets',
    'tmpfs',
    'revocation',
    'bypass',
    'refused',
    'servers/owner',
  ],
  staples: ['staples', 'store', 'judge', 'withdrawal', 'places', 'memory', 'entry', 'ocsp'],
}

/** Modules that several kinds of server share, each after those that it needs. */
const SHARED_BY_KINDS = ['key_file', 'staple_file']

/** The kinds of server that each capability has. */
const KINDS_OF: Readonly<Record<Capability, readonly string[]>> = {
  ring: Object.keys(KEY_SERVERS),
  staples: Object.keys(STAPLE_SERVERS),
}

/** What a kind of server offers for each. */
const OFFERS: Readonly<Record<Capability, string>> = { ring: 'KEYS', staples: 'STAPLES' }

/** What each program is for each capability and its kinds of server: to strip its sources takes longer than all else at synth. */
const selections = new WeakMap<Program, Map<string, Program>>()

/** What a document carries: the program without what is the other capability's alone and without other kinds of server. */
export function programFor(
  capability: Capability,
  program: Program,
  kinds: readonly string[] = KINDS_OF[capability],
): Program {
  const named = KINDS_OF[capability].filter((kind) => kinds.includes(kind))
  const known = selections.get(program) ?? new Map<string, Program>()
  selections.set(program, known)
  const key = [capability, ...named].join(' ')
  const found = known.get(key) ?? selectionOf(program, capability, named)
  known.set(key, found)
  return found
}

function selectionOf({ sources }: Program, capability: Capability, named: readonly string[]): Program {
  const other = capability === 'ring' ? 'staples' : 'ring'
  const others = [
    ...OWN_MODULES[other],
    ...KINDS.filter((kind) => !named.includes(kind)).flatMap((kind) => [
      `servers/${kind}`,
      `servers/${kind}_configuration`,
    ]),
  ].map((name) => `${PACKAGE}/${name}.py`)
  const kept = sources.filter(({ path }) => !others.includes(path))
  return programOf(
    withoutUnused(
      kept.map(({ path, text }) => ({
        path,
        text: withoutMeanings(withoutOffer(text, OFFERS[other], path)),
      })),
    ),
  )
}

/** Without what several kinds of server share where none of these has it. */
function withoutUnused(sources: readonly SourceFile[]): readonly SourceFile[] {
  return SHARED_BY_KINDS.toReversed().reduce((kept, module) => {
    const isUsed = kept.some(({ text }) => text.includes(`from .${module} import `))
    return isUsed ? kept : kept.filter(({ path }) => path !== `${PACKAGE}/servers/${module}.py`)
  }, sources)
}

function programOf(sources: readonly SourceFile[]): Program {
  const members = Object.fromEntries(sources.map(({ path, text }) => [path, strToU8(text)]))
  // Stored, not compressed: Python starts it faster, and the document compresses it as a whole.
  const zip = zipSync(members, { level: 0, mtime: NO_TIME, os: UNIX, attrs: OWN_FILE })
  const zipapp = Buffer.concat([Buffer.from(SHEBANG), zip])
  const hash = createHash('sha256').update(zipapp).digest('hex')
  return { zipapp, hash, version: hash.slice(0, 12), sources }
}

/** What the installer shares with the program, in the order in which one needs the other. */
export const SHARED = ['result', 'clock', 'directory'].map((name) => `${PACKAGE}/${name}.py`)

/** Where a document has its program from: it carries it, or a package has it. */
export type Origin = 'carried' | 'packaged'

/** What it has for itself, as one text. */
const INSTALLER = 'install.py'

function ownOfInstaller(origin: Origin): SourceFile {
  const imports = new RegExp(`^from (${PACKAGE}\\.|library|carried).* import .*\n`, 'gm')
  const texts = ['library.py', `${origin}.py`, INSTALLER].map((path) => sourceOf(AGENT, path).text)
  return { path: INSTALLER, text: texts.join('').replaceAll(imports, '') }
}

/** What the payload is packed from: the program's SHA-256 and sources, each after a line of # and its name. */
export interface Carried {
  /** What the machine runs: the hash, which is a comment there, and the sources of the installer. */
  readonly installer: string
  /** The other sources, of which it makes the zipapp. A zip file's tables would not pack as well. */
  readonly rest: string
}

/** @throws TicketringError `configuration-invalid` where a line would be taken for the name of a source. */
export function carriedOf({ hash, sources }: Program, origin: Origin): Carried {
  const shared = SHARED.flatMap((path) => sources.filter((source) => source.path === path))
  const others = origin === 'packaged' ? [] : sources.filter(({ path }) => !SHARED.includes(path))
  return {
    installer: `#${hash}\n${[...shared, ownOfInstaller(origin)].map(partOf).join('')}`,
    rest: others.map(partOf).join(''),
  }
}

function partOf({ path, text }: SourceFile): string {
  if (/^#/m.test(text))
    throw new TicketringError('configuration-invalid', {
      wanted: 'no line that begins with #',
      came: path,
    })
  return `#${path}\n${text}`
}

/** What opens the payload, as it stands in the document, where JSON takes two characters for a double quote. */
export function openerSource(): string {
  const { path, text } = sourceOf(AGENT, 'open.py')
  const tokens = linesOf(text, path).flat()
  return tokens.map((token) => token.text.replace(/^"([^'\\]*)"$/, "'$1'")).join('')
}

/** What was read of each file, by what it held. */
const stripped = new Map<string, string>()

function sourceOf(directory: string, path: string): SourceFile {
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
