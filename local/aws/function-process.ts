import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { endWithUs, killGroup } from '../process-group.ts'

const RUNTIME = fileURLToPath(new URL('./function-runtime.mjs', import.meta.url))

interface ProcessOptions {
  readonly taskRoot: string
  readonly handler: string
  /** The whole of it, but for what Node itself is told (NODE_OPTIONS): nothing else is inherited. */
  readonly environment: Readonly<Record<string, string>>
  readonly wrap: (argv: readonly string[]) => readonly string[]
  readonly print: (stream: 'stdout' | 'stderr', text: string) => void
}

export interface Job {
  readonly id: string
  readonly arn: string
  readonly event: unknown
  readonly clientContext?: unknown
  /** Seconds. */
  readonly timeout: number
}

export type Answer =
  | { readonly payload: unknown }
  | {
      readonly error: { readonly errorType: string; readonly errorMessage: string; readonly trace?: string[] }
    }

/** One execution environment of a function: a process that handles one event at a time. */
export class FunctionProcess {
  readonly #child: ChildProcess
  #settle: ((answer: Answer) => void) | undefined
  /** As Lambda's init phase, in which no time-out of the function's runs. */
  readonly #initialised: Promise<void>
  #dying = false
  #ended = false
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>

  constructor({ taskRoot, handler, environment, wrap, print }: ProcessOptions) {
    const [command = process.execPath, ...args] = wrap([process.execPath, RUNTIME, taskRoot, handler])
    this.#child = spawn(command, args, {
      cwd: taskRoot,
      env: { ...environment, ...nodeOptions() },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // A group of its own, so that a wrapper dies together with what it wraps.
      detached: true,
    })
    endWithUs(this.#child)
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => print('stdout', text))
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => print('stderr', text))
    this.#initialised = new Promise((resolve) => this.#child.once('message', () => resolve()))
    void this.#initialised.then(() => this.#child.on('message', (message) => this.#answer(message as Answer)))
    this.#child.on('error', (error) => this.#end(String(error)))
    this.ended = new Promise((resolve) => {
      this.#child.once('close', () => resolve()).once('error', () => resolve())
    })
    // `close`, not `exit`: the last words are still in the pipes.
    this.#child.on('close', (code, signal) => this.#end(fate(code, signal)))
  }

  get alive(): boolean {
    return !this.#dying && this.#child.connected
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Never throws: a process that ends fails its event. Past the time-out it is killed. */
  async handle(job: Job): Promise<Answer> {
    const answered = new Promise<Answer>((resolve) => {
      this.#settle = resolve
    })
    let timer: NodeJS.Timeout | undefined
    void this.#initialised.then(() => {
      timer = setTimeout(() => this.#timeOut(job), job.timeout * 1000)
      this.#child.send(
        { ...job, deadline: Date.now() + job.timeout * 1000 },
        (error) => error && this.#end(String(error)),
      )
    })
    try {
      return await answered
    } finally {
      clearTimeout(timer)
    }
  }

  /** SIGKILL to the whole group. */
  kill(): void {
    this.#dying = true
    if (!this.#ended) killGroup(this.#child)
  }

  #answer(answer: Answer): void {
    const settle = this.#settle
    this.#settle = undefined
    settle?.(answer)
  }

  #end(why: string): void {
    this.#ended = true
    this.#answer({
      error: { errorType: 'Runtime.ExitError', errorMessage: `Runtime exited with error: ${why}` },
    })
  }

  #timeOut({ id, timeout }: Job): void {
    const errorMessage = `RequestId: ${id} Error: Task timed out after ${timeout.toFixed(2)} seconds`
    this.#answer({ error: { errorType: 'Sandbox.Timedout', errorMessage } })
    this.kill()
  }
}

function nodeOptions(): Readonly<Record<string, string>> {
  const { NODE_OPTIONS } = process.env
  return NODE_OPTIONS === undefined ? {} : { NODE_OPTIONS }
}

/** As Lambda's own runtime, written in Go, words it. */
function fate(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === null) return `exit status ${code}`
  return `signal: ${signal === 'SIGKILL' ? 'killed' : signal}`
}
