import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Machine } from './contract.ts'
import type { CommandDocument, DocumentContent } from './document.ts'

export interface AgentResult {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
  readonly timedOut: boolean
}

type Step = DocumentContent['mainSteps'][number]

/** What an agent leaves of each stream in a command's output. */
const MAX_OUTPUT = 2500
const SEPARATOR = '\n----------ERROR-------\n'
const OUTPUT_CUT = '\n---Output truncated---'
const ERROR_CUT = '\n---Error truncated----'

/** The part of the SSM agent that runs a document's shell scripts on one machine. */
export class Agent {
  readonly #machine: Machine
  readonly #environment: Readonly<Record<string, string>>
  /** Powered off: nothing starts any more. */
  #stopped = false
  readonly #running = new Map<ChildProcess, Promise<unknown>>()

  constructor(machine: Machine, environment: Readonly<Record<string, string>>) {
    this.#machine = machine
    this.#environment = environment
  }

  /** Runs the steps in turn until one fails. Never throws. */
  async run(
    runId: string,
    document: CommandDocument,
    parameters: Record<string, string>,
  ): Promise<AgentResult> {
    let result: AgentResult = { stdout: '', stderr: '', exitCode: 0, timedOut: false }
    for (const [index, step] of document.content.mainSteps.entries()) {
      if (this.#stopped) return { ...result, exitCode: 137 }
      if (!applies(step)) continue
      const folder = join(this.#machine.workdir, runId, step.name, `${index}.awsrunShellScript`)
      const ran = await this.#runStep(folder, step, document, parameters)
      result = { ...ran, stdout: result.stdout + ran.stdout, stderr: result.stderr + ran.stderr }
      if (ran.exitCode !== 0 || ran.timedOut) return result
    }
    return result
  }

  /** Power off: whatever runs is killed. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const child of this.#running.keys()) killGroup(child)
    await Promise.all(this.#running.values())
  }

  async #runStep(
    folder: string,
    step: Step,
    document: CommandDocument,
    parameters: Record<string, string>,
  ): Promise<AgentResult> {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const script = join(folder, '_script.sh')
    const { lines, variables } = this.#interpolate(step, document, parameters)
    writeFileSync(script, `${lines.join('\n')}\n`, { mode: 0o700 })
    const argv = ['/bin/sh', script]
    const [command = '/bin/sh', ...args] = this.#machine.wrap?.(argv) ?? argv
    const env = { ...this.#environment, ...variables }
    const child = spawn(command, args, {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const watched = this.#watch(child, folder, step.inputs.timeoutSeconds)
    this.#running.set(child, watched)
    return watched.finally(() => this.#running.delete(child))
  }

  async #watch(child: ChildProcess, folder: string, limit: number): Promise<AgentResult> {
    const printed = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      writeFileSync(join(folder, name), '', { mode: 0o600 })
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        printed[name] += text
        appendFileSync(join(folder, name), text)
      })
    }
    const { exitCode, timedOut } = await ending(child, limit)
    if (exitCode === 0) return { ...printed, exitCode, timedOut }
    const note = `${printed.stderr === '' ? '' : '\n'}failed to run commands: exit status ${exitCode}`
    return { ...printed, stderr: printed.stderr + note, exitCode, timedOut }
  }

  /** New agents put a parameter into the environment where the document says so; old ones know only text. */
  #interpolate({ inputs }: Step, { content }: CommandDocument, parameters: Record<string, string>) {
    const asVariable = (name: string) =>
      this.#machine.agent === 'current' && content.parameters[name]?.interpolationType === 'ENV_VAR'
    const names = Object.keys(parameters)
    const variables = names.filter(asVariable).map((name) => [`SSM_${name}`, parameters[name] ?? ''] as const)
    const lines = inputs.runCommand.map((line) =>
      line.replace(/\{\{\s*(\w+)\s*\}\}/g, (whole, name: string) =>
        name in parameters && !asVariable(name) ? (parameters[name] ?? '') : whole,
      ),
    )
    return { lines, variables: Object.fromEntries(variables) }
  }
}

/** `Output` as a command's plugin shows it: both streams in one, cut to 2,500 characters. */
export function commandOutput(stdout: string, stderr: string): string {
  const rest = stderr === '' ? '' : `${SEPARATOR}${stderr}`
  if (stdout.length + rest.length <= MAX_OUTPUT) return stdout + rest
  if (stderr === '') return cut(stdout, MAX_OUTPUT, OUTPUT_CUT)
  const room = MAX_OUTPUT - SEPARATOR.length
  const half = Math.floor(room / 2)
  const out = stdout.length <= half ? stdout : cut(stdout, Math.max(half, room - stderr.length), OUTPUT_CUT)
  return `${out}${SEPARATOR}${cut(stderr, room - out.length, ERROR_CUT)}`
}

function cut(text: string, length: number, mark: string): string {
  return text.length <= length ? text : text.slice(0, length - mark.length) + mark
}

/** Every machine here is a Linux one. */
function applies({ precondition }: Step): boolean {
  if (precondition === undefined) return true
  const [left, right] = precondition.StringEquals.map((side) => (side === 'platformType' ? 'Linux' : side))
  return left === right
}

/** Like the agent, waits until nobody holds the script's output any more, daemons included. */
function ending(child: ChildProcess, limit: number): Promise<{ exitCode: number; timedOut: boolean }> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      killGroup(child)
      resolve({ exitCode: 137, timedOut: true })
    }, limit * 1000)
    const end = (exitCode: number) => {
      clearTimeout(timer)
      resolve({ exitCode, timedOut: false })
    }
    child.on('error', () => end(127))
    child.on('close', (code) => end(code ?? 137))
  })
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It ended in between.
  }
}
