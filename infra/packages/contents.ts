import { readFileSync } from 'node:fs'
import type { Program } from '../program/program.ts'

/** What every package puts on a machine, and says of itself. */
export interface PackageContents {
  readonly version: string
  /** SHA-256 of the program. */
  readonly hash: string
  /** Sorted by path, each directory before what is in it. Nothing that a machine's owner writes is among them. */
  readonly entries: readonly Entry[]
}

/** Belongs to root. `path`: absolute. */
export type Entry =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | FileEntry

interface FileEntry {
  readonly kind: 'file'
  readonly path: string
  readonly data: Uint8Array
  readonly executable?: true
  /** For a person; a machine can do without. */
  readonly documentation?: true
}

export const PACKAGE = 'ticketring'
export const SUMMARY = 'TLS session-ticket keys and OCSP staples for HAProxy and nginx on AWS'
/** Of whatever is in a package, so that its bytes follow from its content: the first second that a zip file can tell. */
export const TIME = 315_532_800

/** Where documents install the program as well: a later one moves its link on. */
const LIB = '/usr/local/lib/ticketring'
const SYSTEMD = '/usr/lib/systemd/system'
const UNITS = [
  'boot@.service',
  'pull@.service',
  'pull@.timer',
  'staples@.service',
  'staples-pull@.service',
  'staples-pull@.timer',
].map((unit) => `ticketring-${unit}`)
const DOC = '/usr/share/doc/ticketring'

/** @param program built from this project's sources. */
export function packageContents({ hash, zipapp }: Program): PackageContents {
  const files = [
    file(`${LIB}/${hash}/ticketring.pyz`, zipapp, { executable: true }),
    ...UNITS.map((unit) => file(`${SYSTEMD}/${unit}`, read(`agent/units/${unit}`))),
    ...['edge.conf', 'web.staples.conf'].map((example) =>
      documentation(`${DOC}/examples/${example}`, `docs/examples/${example}`),
    ),
    documentation(`${DOC}/copyright`, 'LICENSE'),
    documentation(`${DOC}/errors.md`, 'docs/errors.md'),
    documentation(`${DOC}/runbook.md`, 'docs/runbook.md'),
  ]
  const links = ['ring', 'staples'].map((capability) => ({
    kind: 'link' as const,
    path: `${LIB}/current-${capability}`,
    target: hash,
  }))
  // What machines override is written by their owners: the directory alone is there for it.
  const own = [LIB, `${LIB}/${hash}`, '/etc/ticketring', DOC, `${DOC}/examples`]
  const directories = own.map((path) => ({ kind: 'directory' as const, path }))
  const entries = [...directories, ...files, ...links].sort((a, b) => (a.path < b.path ? -1 : 1))
  return { version: JSON.parse(read('package.json').toString()).version, hash, entries }
}

function read(path: string): Buffer {
  return readFileSync(new URL(`../../${path}`, import.meta.url))
}

function file(path: string, data: Uint8Array, more: { readonly executable?: true } = {}): FileEntry {
  return { kind: 'file', path, data, ...more }
}

function documentation(path: string, source: string): FileEntry {
  return { ...file(path, read(source)), documentation: true }
}

/** Permission bits, whatever the umask of who builds it. */
export function permissionsOf(entry: Entry): number {
  if (entry.kind === 'link') return 0o777
  return entry.kind === 'directory' || entry.executable ? 0o755 : 0o644
}

/** Bytes of content. */
export function dataOf(entry: Entry): Uint8Array {
  return entry.kind === 'file' ? entry.data : new Uint8Array()
}
