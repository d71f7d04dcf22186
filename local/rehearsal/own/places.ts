import type { Issued } from '../machines/pki.ts'

/** Where things of a user's configuration are on a machine of the rehearsal. */
export interface Places {
  /** Free loopback ports of the machine's own, as many as the configuration needs. */
  readonly ports: readonly number[]
  /** Port of the server that answers in place of every backend. */
  readonly backend: number
  /** A file of this name in the machine's own folder. */
  file(name: string): string
  /** Where the ring's keys are: HAProxy's file, nginx's directory. */
  readonly keys: string
  /** Issues a certificate for these names. */
  certificate(names: readonly string[]): Issued
  /** PEM file of the authority behind those. */
  readonly root: string
}

/** A word of a configuration, or what makes it once the places are known. */
export type Word = string | ((places: Places) => string)

export function wordFor(word: Word, places: Places): string {
  return typeof word === 'string' ? word : word(places)
}

/** What the rewriter asks of the user's disk. Nothing of a private key is given out. */
export interface Disk {
  /** Names in the certificate of a PEM file, or in those of a folder, that a server could start with; undefined without. */
  namesIn(path: string, privateKey?: string): readonly string[] | undefined
  isReadable(path: string): boolean
  /** Text of a file, byte for byte as latin1; undefined where it cannot be read. */
  read(path: string): string | undefined
  /** Files that a pattern of paths matches, in their order. */
  matching(pattern: string): readonly string[]
}

/** One line of a rewritten file, and which of the user's it comes from: none where it was added. */
export interface RewrittenLine {
  readonly words: readonly Word[]
  readonly line?: number
}

/** The name that a listener is asked for where its certificate says none. */
export const FALLBACK_NAME = 'www.example.com'

/** A name that a client can ask for: one below a wildcard. Undefined for what is no name of a host. */
export function askedName(name: string): string | undefined {
  const host = name.toLowerCase().replace(/^\*\./, 'www.')
  return /^[a-z0-9_-]+(\.[a-z0-9_-]+)+$/.test(host) && !/^[0-9.]+$/.test(host) ? host : undefined
}

/** Those of names that a client can ask for, each once. */
export function askable(names: readonly string[]): readonly string[] {
  return [...new Set(names.map(askedName).filter((name) => name !== undefined))]
}

/** What the name of a certificate's file says, where it is named after its host. */
export function namesOfFile(path: string): readonly string[] {
  const base = path.replace(/^.*\//, '').replace(/\.(pem|crt|cer|cert)$/, '')
  const folder = path.split('/').at(-2) ?? ''
  const found = [base, folder].map((each) => (each.endsWith('.d') ? undefined : askedName(each)))
  return [found.find((each) => each !== undefined) ?? FALLBACK_NAME]
}
