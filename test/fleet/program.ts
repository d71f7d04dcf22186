/** What a machine of these suites runs: the shell's scripts, or with TICKETRING_PROGRAM=agent the program in Python. */
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { tmpfsDirectory } from './terminators.ts'

const inHome = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

export const SCRIPT = inHome('fleet/apply-ring.sh')
export const STAPLE_SCRIPT = inHome('fleet/apply-staple.sh')

/** The ring's program in Python, whatever the switch says: for what it keeps and the shell does not. */
export const RING_PROGRAM = inHome('agent')

/** `shell` until the program does all that the scripts do. */
export const PROGRAM = programOf(process.env.TICKETRING_PROGRAM ?? 'shell')

/** What the machine's Python is: TICKETRING_PYTHON names another one, such as the oldest that is supported. */
const PYTHON = process.env.TICKETRING_PYTHON ?? '/usr/bin/python3'

const COMMANDS: Readonly<Record<string, string>> = {
  [SCRIPT]: 'ring',
  [STAPLE_SCRIPT]: 'staples',
  [RING_PROGRAM]: 'ring',
}

/** The words that run a script, or in its place the program; any other text is the shell's in both. */
export function wordsOf(script: string, shell: readonly string[] = ['dash']): readonly string[] {
  const command = COMMANDS[script]
  if ((PROGRAM === 'shell' && script !== RING_PROGRAM) || command === undefined) return [...shell, script]
  return [PYTHON, '-I', '-X', `pycache_prefix=${cache()}`, RING_PROGRAM, command]
}

/** Runs the staples' half of the program, whatever the suites run. */
export const AS_PROGRAM = { shell: [PYTHON, '-I', '-B', inHome('agent')], script: 'staples' }

function programOf(name: string): 'shell' | 'agent' {
  if (name === 'shell' || name === 'agent') return name
  throw new Error(`wanted TICKETRING_PROGRAM as shell or agent, found ${name}`)
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
