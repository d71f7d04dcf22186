import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { endWithUs, killGroup } from '../process-group.ts'

/** How a script's process ended: its code, and the error in Go's words where there is one. */
export interface Ending {
  readonly exitCode: number
  readonly error?: string
  readonly cancelled?: boolean
}

interface ScriptParts {
  readonly argv: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Its orchestration folder: what it prints is appended to files there. */
  readonly folder: string
  /** Seconds until it is killed. */
  readonly limit: number
}

/** What the agent ends a run with that it stopped itself, and with one whose process was killed by a signal. */
const STOPPED = 137
const SIGNALLED = -1
/** Go's names of signals. */
const SIGNALS: Readonly<Record<string, string>> = {
  SIGHUP: 'hangup',
  SIGINT: 'interrupt',
  SIGABRT: 'aborted',
  SIGKILL: 'killed',
  SIGSEGV: 'segmentation fault',
  SIGPIPE: 'broken pipe',
  SIGTERM: 'terminated',
}

const STREAMS = ['stdout', 'stderr'] as const

/** One process of a script, as the agent starts it, waits for it and ends it. */
export class Script {
  readonly ended: Promise<Ending>
  /** The machine went down under it. */
  interrupted = false
  readonly #child: ChildProcess
  /** Kills the group, drops what it prints from now on, and ends the run like this. */
  #stop: (ending: Ending) => void = () => {}

  constructor({ argv, environment, folder, limit }: ScriptParts) {
    const [command = 'sh', ...args] = argv
    for (const name of STREAMS) writeFileSync(join(folder, name), '', { flag: 'a', mode: 0o600 })
    this.#child = withUmask(0o022, () =>
      spawn(command, args, {
        cwd: '/usr/bin',
        env: { ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      }),
    )
    endWithUs(this.#child)
    for (const name of STREAMS)
      this.#child[name]?.on('data', (bytes: Buffer) => appendFileSync(join(folder, name), bytes))
    this.ended = this.#end(limit)
  }

  /** The machine goes down: whatever runs is killed. */
  interrupt(): void {
    this.interrupted = true
    killGroup(this.#child)
  }

  /** As a time-out does it, only earlier. */
  cancel(): void {
    this.#stop({ exitCode: STOPPED, cancelled: true })
  }

  /** Like the agent, waits until no process holds the script's output any more, daemons included. */
  #end(limit: number): Promise<Ending> {
    const child = this.#child
    return new Promise((resolve) => {
      const end = (ending: Ending) => {
        clearTimeout(timer)
        resolve(ending)
      }
      this.#stop = (ending) => {
        for (const name of STREAMS) child[name]?.removeAllListeners('data').resume()
        // The group is gone where a daemon of another one holds the output.
        end(killGroup(child) ? ending : { exitCode: 1, error: 'no such process' })
      }
      const timer = setTimeout(() => this.#stop({ exitCode: STOPPED }), limit * 1000)
      child.on('error', ({ message }) => end({ exitCode: 1, error: message }))
      child.on('close', (code, signal) => end(endingOf(code, signal)))
    })
  }
}

function endingOf(code: number | null, signal: string | null): Ending {
  if (code === 0) return { exitCode: 0 }
  if (code !== null) return { exitCode: code, error: `exit status ${code}` }
  return { exitCode: SIGNALLED, error: `signal: ${SIGNALS[signal ?? ''] ?? signal}` }
}

/** A child takes over the mask that its parent has when it starts. */
function withUmask<T>(mask: number, start: () => T): T {
  const before = process.umask(mask)
  try {
    return start()
  } finally {
    process.umask(before)
  }
}
