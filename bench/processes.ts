import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

/** Whether a program is on the PATH and starts. */
export function isInstalled(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0
}

interface Running {
  /** The whole of it: nothing is inherited but the PATH. */
  readonly environment?: Readonly<Record<string, string>>
  readonly input?: string
  readonly directory?: string
}

/** Runs a program to its end. @returns its standard output. @throws Error for another exit code than 0. */
export async function run(
  command: string,
  words: readonly string[],
  { environment = {}, input = '', directory }: Running = {},
): Promise<string> {
  const child = spawn(command, words, {
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(directory === undefined ? {} : { cwd: directory }),
  })
  const said: { out: string[]; err: string[] } = { out: [], err: [] }
  child.stdout.setEncoding('utf8').on('data', (text: string) => said.out.push(text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.err.push(text))
  child.stdin.on('error', () => {}).end(input)
  const [code] = (await once(child, 'close')) as [number | null]
  if (code === 0) return said.out.join('')
  throw new Error(`${command} ended with status ${code}: ${said.err.join('').trim().slice(-400)}`)
}
