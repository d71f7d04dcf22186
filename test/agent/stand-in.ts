/** A program of a few lines in the place of the real one, and the document that carries it. */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseConfiguration } from '../../infra/app/configuration.ts'
import { readContext } from '../../infra/app/context.ts'
import { SHARED } from '../../infra/program/payload.ts'
import { AGENT, buildProgram, type Program } from '../../infra/program/program.ts'
import { buildRingDocument } from '../../infra/ring/document.ts'
import { buildStapleDocument } from '../../infra/stapling/document.ts'
import { EXAMPLE_KINDS } from '../infra/app/example.ts'

/** It tells what it was given, and what it runs from. */
const TELLS = `
import json
import os
import sys

def main():
    names = [name for name in os.environ if name.startswith(("TICKETRING_S", "SSM_"))]
    given = {name: os.environ[name] for name in sorted(names)}
    stdin = os.readlink("/proc/self/fd/0")
    print(json.dumps({"version": VERSION, "argv": sys.argv, "given": given, "stdin": stdin, "main": __file__}))
    return EXIT
`

/** @param tail more lines of the module. */
export function standIn(directory: string, version: string, tail = ''): Program {
  const sources = join(directory, `program-${version}`)
  mkdirSync(join(sources, 'ticketring'), { recursive: true })
  writeFileSync(
    join(sources, '__main__.py'),
    'import sys\nfrom ticketring.__main__ import main\nsys.exit(main())\n',
  )
  writeFileSync(join(sources, 'ticketring', '__init__.py'), '')
  for (const path of SHARED) cpSync(join(AGENT, path), join(sources, path))
  const head = `VERSION = "${version}"\nEXIT = 0\n`
  writeFileSync(join(sources, 'ticketring', '__main__.py'), `${head}${TELLS}${tail}`)
  return buildProgram(sources)
}

/** What a stand-in prints. */
export interface Output {
  readonly version: string
  readonly argv: readonly string[]
  readonly given: Readonly<Record<string, string>>
  readonly stdin: string
  readonly main: string
}

const { rings, stapling } = parseConfiguration(readContext().ticketring)

/** The text of the example's document of a ring, for those of its kinds of server that are named. */
export function ringText(program: Program, kinds: readonly string[] = EXAMPLE_KINDS): string {
  const [ring] = rings
  if (ring === undefined) throw new Error('cdk.json has no example any more')
  const servers = Object.fromEntries(Object.entries(ring.servers).filter(([kind]) => kinds.includes(kind)))
  return buildRingDocument(
    { ...ring, mode: 'enforce', servers },
    program,
  ).content.mainSteps[0].inputs.runCommand.join('\n')
}

/** The text of the example's document of a set of staples. */
export function staplesText(program: Program): string {
  const [set] = stapling
  if (set === undefined) throw new Error('cdk.json has no example any more')
  return buildStapleDocument(set, program).content.mainSteps[0].inputs.runCommand.join('\n')
}

/** A machine that has no program yet: documents run on it as the agent runs them. */
export class BareMachine {
  readonly directory: string
  readonly library: string
  #texts = 0

  constructor(directory: string) {
    mkdirSync(directory)
    this.directory = directory
    this.library = join(directory, 'lib')
  }

  environment(): Record<string, string> {
    return { PATH: '/usr/bin:/bin', HOME: this.directory, TICKETRING_LIB: this.library, SSM_Generation: '7' }
  }

  /** The text as a file that may be executed. */
  file(text: string): string {
    this.#texts += 1
    const file = join(this.directory, `_script-${this.#texts}.sh`)
    writeFileSync(file, text, { mode: 0o700 })
    return file
  }

  run(
    text: string,
    environment: Readonly<Record<string, string>> = {},
    argv = ['sh', '-c'],
  ): SpawnSyncReturns<string> {
    const [command = '', ...words] = [...argv, this.file(text)]
    const env = { ...this.environment(), ...environment }
    return spawnSync(command, words, {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    })
  }

  /** Runs it beside others. */
  begin(text: string): {
    readonly pid: number
    readonly ended: Promise<{ code: number | null; stdout: string }>
  } {
    const child = spawn('sh', [this.file(text)], {
      env: this.environment(),
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let stdout = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    const ended = new Promise<{ code: number | null; stdout: string }>((resolve) => {
      child.once('close', (code) => resolve({ code, stdout }))
    })
    return { pid: child.pid ?? 0, ended }
  }

  output(text: string, environment: Readonly<Record<string, string>> = {}): Output {
    return JSON.parse(this.run(text, environment).stdout)
  }
}
