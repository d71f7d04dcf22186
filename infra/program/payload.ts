/** What a document's payload is packed from: the installer, the program's sources, and what opens them. */
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { AGENT, PACKAGE, type Program, type SourceFile, sourceOf } from './program.ts'
import { linesOf } from './python-tokens.ts'
import type { Capability } from './selection.ts'

/** What the installer shares with the program, in the order in which one needs the other. */
export const SHARED = ['result', 'clock', 'directory'].map((name) => `${PACKAGE}/${name}.py`)

/** Where a document has its program from: it carries it, or a package has it. */
export type Origin = 'carried' | 'packaged'

/** What it has for itself, as one text. */
const INSTALLER = 'install.py'

/** The way back, which a set's installer has not: a program that is no good holds no staple up. */
const OF_RINGS = /^( +)if command == "ring" and .*\n(?:\1 +.*\n)+/gm

function ownOfInstaller(origin: Origin, capability: Capability): SourceFile {
  const imports = new RegExp(`^from (${PACKAGE}\\.|library|carried|rollback).* import .*\n`, 'gm')
  const back = origin === 'carried' && capability === 'ring' ? ['rollback.py'] : []
  const texts = ['library.py', `${origin}.py`, ...back, INSTALLER].map((path) => sourceOf(AGENT, path).text)
  const text = texts.join('').replaceAll(imports, '')
  return { path: INSTALLER, text: capability === 'ring' ? text : text.replaceAll(OF_RINGS, '') }
}

/** What takes a ring off a machine: one text, with what it shares with the program. */
export function offboardSource(): string {
  const imports = new RegExp(`^from ((${PACKAGE})?\\.\\w+|named) import .*\n`, 'gm')
  const texts = [...SHARED, `${PACKAGE}/hold.py`, 'named.py', 'offboard.py'].map(
    (path) => sourceOf(AGENT, path).text,
  )
  return texts.join('').replaceAll(imports, '')
}

/** What the payload is packed from: the program's SHA-256 and sources, each after a line of # and its name. */
export interface Carried {
  /** What the machine runs: the hash, which is a comment there, and the sources of the installer. */
  readonly installer: string
  /** The other sources, of which it makes the zipapp. A zip file's tables would not pack as well. */
  readonly rest: string
}

/** @throws TicketringError `configuration-invalid` where a line would be taken for the name of a source. */
export function carriedOf({ hash, sources }: Program, origin: Origin, capability: Capability): Carried {
  const shared = SHARED.flatMap((path) => sources.filter((source) => source.path === path))
  const others = origin === 'packaged' ? [] : sources.filter(({ path }) => !SHARED.includes(path))
  return {
    installer: `#${hash}\n${[...shared, ownOfInstaller(origin, capability)].map(partOf).join('')}`,
    rest: others.map(partOf).join(''),
  }
}

/** What looks at a machine and stays in memory: its sources are the program's, `--check` among them. */
export function lookOf({ hash, sources }: Program): Carried {
  return {
    installer: `#${hash}\n${partOf(sourceOf(AGENT, 'preflight.py'))}`,
    rest: sources.map(partOf).join(''),
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
