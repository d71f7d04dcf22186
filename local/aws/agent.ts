import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandDocument, DocumentContent } from './document.ts'
import type { Machine } from './machine.ts'
import { type Ending, Script } from './script.ts'

export interface AgentResult {
  readonly status: 'Success' | 'Failed' | 'TimedOut' | 'Cancelled'
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** One run of a document: a command's, or an association's, which has no id that a script could see. */
export interface Run {
  readonly id: string
  readonly kind: 'command' | 'association'
}

type Step = DocumentContent['mainSteps'][0]

/** Exit codes that mean something to the agent, and how often it begins a document again. */
const [ENOUGH, REBOOT, STOPPED] = [168, 194, 137]
const RUNS = 15
/** Seconds: a `timeoutSeconds` outside of these counts as 3,600. */
const [SHORTEST, LONGEST, USUAL] = [5, 172_800, 3600]

/** The part of the SSM agent that runs a document's shell script on one machine. */
export class Agent {
  readonly #machine: Machine
  readonly #environment: () => Readonly<Record<string, string>>
  /** Powered off: nothing starts any more. */
  #stopped = false
  readonly #running = new Map<Script, string>()

  /** @param environment what each script sees, asked for when one starts */
  constructor(machine: Machine, environment: () => Readonly<Record<string, string>>) {
    this.#machine = machine
    this.#environment = environment
  }

  /** Runs the document's step, again whenever the machine went down under it. Never throws. */
  async run(
    run: Run,
    { content }: CommandDocument,
    parameters: Record<string, string>,
  ): Promise<AgentResult> {
    if (this.#stopped) return { status: 'Failed', exitCode: STOPPED, stdout: '', stderr: '' }
    const [step] = content.mainSteps
    const folder = join(this.#machine.workdir, run.id, step.name, '0.awsrunShellScript')
    const { lines, variables } = this.#interpolate(step, content, parameters)
    const ids = run.kind === 'command' ? { SSM_COMMAND_ID: run.id } : {}
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(join(folder, '_script.sh'), `${lines.join('\n')}\n`, { mode: 0o700 })
    for (let count = 1; ; count += 1) {
      const { ending, again } = await this.#start(run.id, folder, step, { ...variables, ...ids })
      if (!again || this.#stopped || count === RUNS) return report(folder, ending)
    }
  }

  /** The machine goes down and comes up again at once: what ran is killed, and begins anew. */
  reboot(): void {
    for (const script of this.#running.keys()) script.interrupt()
  }

  /** Kills what a command has running here. */
  cancel(id: string): void {
    for (const [script, run] of this.#running) if (run === id) script.cancel()
  }

  /** Power off. Resolves when everything that ran is gone. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.reboot()
    await Promise.all([...this.#running.keys()].map(({ ended }) => ended))
  }

  async #start(
    id: string,
    folder: string,
    { inputs }: Step,
    variables: Record<string, string>,
  ): Promise<{ ending: Ending; again: boolean }> {
    const plain = ['sh', '-c', join(folder, '_script.sh')]
    const argv = this.#machine.wrap?.(plain) ?? plain
    const environment = { ...this.#environment(), ...variables }
    const script = new Script({ argv, environment, folder, limit: limitOf(inputs.timeoutSeconds) })
    this.#running.set(script, id)
    const ending = await script.ended
    this.#running.delete(script)
    const wantsReboot = ending.exitCode === REBOOT
    if (wantsReboot) this.reboot()
    return { ending, again: wantsReboot || script.interrupted }
  }

  /** New agents put a parameter into the environment where the document says so; old ones know only text. */
  #interpolate({ inputs }: Step, content: DocumentContent, parameters: Record<string, string>) {
    const asVariable = (name: string) =>
      this.#machine.agent === 'current' && content.parameters[name]?.interpolationType === 'ENV_VAR'
    const names = Object.keys(parameters)
    const variables = names.filter(asVariable).map((name) => [`SSM_${name}`, parameters[name] ?? ''] as const)
    const lines = inputs.runCommand.map((line) =>
      line.replace(/\{\{\s*(\w+)\s*\}\}/g, (whole, name: string) => {
        if (!(name in parameters)) return whole
        return asVariable(name) ? `$SSM_${name}` : (parameters[name] ?? '')
      }),
    )
    return { lines, variables: Object.fromEntries(variables) }
  }
}

function limitOf(seconds: number): number {
  return seconds < SHORTEST || seconds > LONGEST ? USUAL : seconds
}

/** What a run that was begun several times printed stands one behind the other; so does the agent's note on a failure. */
function report(folder: string, ending: Ending): AgentResult {
  const { exitCode, error } = ending
  const status = statusOf(ending)
  const note = status === 'Failed' && error !== undefined ? `failed to run commands: ${error}` : ''
  appendFileSync(join(folder, 'stderr'), note)
  const stderr = exitCode === ENOUGH ? '' : readFileSync(join(folder, 'stderr'), 'utf8')
  return { status, exitCode, stdout: readFileSync(join(folder, 'stdout'), 'utf8'), stderr }
}

function statusOf({ exitCode, cancelled }: Ending): AgentResult['status'] {
  if (cancelled) return 'Cancelled'
  if (exitCode === STOPPED) return 'TimedOut'
  return [0, ENOUGH, REBOOT].includes(exitCode) ? 'Success' : 'Failed'
}
