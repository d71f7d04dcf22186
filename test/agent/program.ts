/** The program that a machine of these suites runs, from its sources. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tmpfsDirectory } from './terminators.ts'

/** Its sources: `__main__.py` and the package `ticketring`. */
export const AGENT = fileURLToPath(new URL('../../agent', import.meta.url))

export type Command = 'ring' | 'staples'

/** What the machine's Python is: TICKETRING_PYTHON names another one, such as the oldest that is supported. */
export const PYTHON = process.env.TICKETRING_PYTHON ?? '/usr/bin/python3'

/** The words that run it; `directory` has other sources than ours. */
export function wordsOf(command: Command, directory = AGENT): readonly string[] {
  return [PYTHON, '-IS', '-X', `pycache_prefix=${cache()}`, directory, command]
}

/** A copy of the sources below `directory` in which one text of a file is another. @returns the copy. */
export function altered(directory: string, file: string, text: string, other: string): string {
  const copy = join(directory, 'agent')
  cpSync(AGENT, copy, { recursive: true })
  const path = join(copy, 'ticketring', file)
  const source = readFileSync(path, 'utf8')
  if (!source.includes(text)) throw new Error(`${file} says it in other words now than ${text}`)
  writeFileSync(path, source.replace(text, other))
  return copy
}

let compiled: string | undefined

/** One place for what Python compiles: none is left beside the sources, and each run does not compile anew. */
function cache(): string {
  if (compiled !== undefined) return compiled
  const directory = tmpfsDirectory()
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  compiled = directory
  return directory
}
