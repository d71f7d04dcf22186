import { X509Certificate } from 'node:crypto'
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { RehearsalError } from '../rehearsal-error.ts'
import type { Disk } from './places.ts'

/** Bytes that a configuration, or a certificate, may have. */
const MOST = 1_000_000

/**
 * A configuration of the user's, byte for byte as latin1.
 * @throws RehearsalError where it is no text of that kind.
 */
export function readConfiguration(option: string, file: string): string {
  const refuse = (what: string, next: string) => new RehearsalError(`${option} ${file}: ${what}`, next)
  const stat = statSync(file, { throwIfNoEntry: false })
  if (stat === undefined) throw refuse('there is no such file', 'Name the configuration, or a copy of it')
  if (!stat.isFile()) throw refuse('that is no file', 'Name one file: what it includes is found')
  if (stat.size > MOST) throw refuse(`${stat.size} bytes`, `Wanted a configuration of at most ${MOST} bytes`)
  const bytes = bytesOf(file)
  if (bytes === undefined)
    throw refuse('it cannot be read', 'Give the user that runs this the right to, or name a copy')
  if (bytes.toString('latin1').trim() === '')
    throw refuse('it is empty', 'Name the configuration, or a copy of it')
  if (!isText(bytes))
    throw refuse('it is no text in UTF-8', 'Name the configuration, or a copy of it in UTF-8')
  return bytes.toString('latin1')
}

function isText(bytes: Buffer): boolean {
  try {
    return !new TextDecoder('utf-8', { fatal: true }).decode(bytes).includes('\0')
  } catch {
    return false
  }
}

/** The machine's own. */
export const DISK: Disk = {
  namesIn: (path, privateKey) => namesIn(path, privateKey),
  isReadable: (path) => existsSync(path) && isReadable(path),
  read: (path) => {
    const bytes = isFile(path) ? bytesOf(path) : undefined
    return bytes === undefined || !isText(bytes) ? undefined : bytes.toString('latin1')
  },
  matching: (pattern) => matching(pattern),
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

function bytesOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

/** HAProxy takes no such file of a folder for a certificate. */
const BESIDE = /^\.|\.(key|ocsp|issuer|sctl)$/

function namesIn(path: string, privateKey: string | undefined): readonly string[] | undefined {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat?.isDirectory() === true) {
    if (!isReadable(path)) return undefined
    return together(readdirSync(path).flatMap((name) => (BESIDE.test(name) ? [] : [join(path, name)])))
  }
  if (stat !== undefined) return namesOf(path, privateKey)
  return together(['.rsa', '.ecdsa', '.dsa'].map((kind) => `${path}${kind}`).filter(isFile))
}

/** Of all: one that a server could not start with spoils them. */
function together(paths: readonly string[]): readonly string[] | undefined {
  const names = paths.map((path) => namesOf(path, undefined))
  if (names.length === 0 || names.includes(undefined)) return undefined
  return names.flatMap((each) => each ?? [])
}

function namesOf(path: string, privateKey: string | undefined): readonly string[] | undefined {
  if (!isFile(path) || statSync(path).size > MOST) return undefined
  const text = bytesOf(path)?.toString('latin1')
  if (text === undefined) return undefined
  const keys =
    privateKey === undefined ? [path, `${path}.key`, path.replace(/\.[^./]*$/, '.key')] : [privateKey]
  if (!keys.some(holdsKey)) return undefined
  try {
    const { subjectAltName = '', subject } = new X509Certificate(text)
    const names = [...subjectAltName.matchAll(/DNS:([^,\s]+)/g)].map(([, name]) => name as string)
    const common = /^CN=(\S+)$/m.exec(subject ?? '')?.[1]
    return names.length > 0 || common === undefined ? names : [common]
  } catch {
    return undefined
  }
}

/** Whether there is a private key in it: nothing of it is kept. */
function holdsKey(path: string): boolean {
  return (
    isFile(path) &&
    /^-----BEGIN (?:[A-Z0-9]+ )?PRIVATE KEY-----/m.test(bytesOf(path)?.toString('latin1') ?? '')
  )
}

/** Files of a pattern as glob(3) reads it, sorted; without one that is hidden. */
function matching(pattern: string): readonly string[] {
  const [, ...segments] = pattern.split('/')
  let found = ['']
  for (const segment of segments)
    found = /[*?[]/.test(segment)
      ? found.flatMap((folder) => namesLike(`${folder}/`, segment).map((name) => `${folder}/${name}`))
      : found.map((folder) => `${folder}/${segment}`).filter((path) => existsSync(path))
  return found
}

/** What is one of several signs, a ] first among them; a sign that stands for itself; any other one. */
const PART = /\[([!^]?)(\]?[^\]]*)\]|\\([\s\S])|[\s\S]/g

function likePart(part: string, not?: string, signs?: string, itself?: string): string {
  if (signs) return `[${not === '' ? '' : '^'}${signs.replace(/[\\\][^]/g, '\\$&')}]`
  if (part === '*') return '.*'
  return part === '?' ? '.' : (itself ?? part).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** Of a range that runs backwards, none. */
function namesLike(folder: string, segment: string): readonly string[] {
  try {
    const like = new RegExp(`^${segment.replace(PART, likePart)}$`, 's')
    return readdirSync(folder)
      .filter((name) => !name.startsWith('.') && like.test(name))
      .toSorted()
  } catch {
    return []
  }
}
