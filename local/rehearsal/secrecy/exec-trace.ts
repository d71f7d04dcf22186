import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** A string of an exec: one argument, one variable, or the program's path. */
export interface Traced {
  /** Whose process, as {@link ExecTrace.wrap} was told. */
  readonly label: string
  readonly text: Buffer
}

/**
 * Records the arguments and the environment of every exec of a process and its descendants, by strace: at the
 * system call itself, so that no process is too short-lived to be seen.
 */
export class ExecTrace {
  readonly #directory: string
  readonly #labels = new Map<string, string>()
  readonly #seen = new Map<string, Traced>()
  #execs = 0

  /** @param directory on tmpfs: were a key ever passed to a process, its trace would hold it. */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** How many execs were recorded so far, as of the last {@link collect}. */
  get execs(): number {
    return this.#execs
  }

  /** The command with the tracer in front. -D keeps the process itself the child of what spawns it. */
  wrap(argv: readonly string[], label: string): readonly string[] {
    const file = randomUUID()
    this.#labels.set(file, label)
    // -f with --seccomp-bpf stops at these calls and at nothing else; -v and -s print arguments and environments whole.
    // strace stops a new process, or thread, at each of its calls until it has met one of these: a server's worker never
    // calls execve, and the C library calls set_robust_list(2) in each.
    const how = [
      '-D',
      '-f',
      '--seccomp-bpf',
      '-q',
      '-v',
      '-s',
      '1048576',
      '-e',
      'trace=execve,set_robust_list',
      '-e',
      'signal=none',
    ]
    return ['strace', ...how, '-o', join(this.#directory, file), '--', ...argv]
  }

  /** Reads what finished processes left and forgets their files; with `all` also those of processes still running. */
  collect(all = false): readonly Traced[] {
    for (const file of readdirSync(this.#directory)) {
      const trace = readFileSync(join(this.#directory, file), 'latin1')
      if (!all && !isFinished(trace)) continue
      this.#learn(trace, this.#labels.get(file) ?? file)
      rmSync(join(this.#directory, file))
    }
    return [...this.#seen.values()]
  }

  #learn(trace: string, label: string): void {
    for (const line of trace.split('\n')) {
      if (!/^\d+ +execve\(/.test(line)) continue
      this.#execs += 1
      for (const text of stringsOf(line)) {
        const key = `${label}\0${text}`
        if (!this.#seen.has(key)) this.#seen.set(key, { label, text: Buffer.from(text, 'latin1') })
      }
    }
  }
}

/** Whether every process of this trace has ended. */
export function isFinished(trace: string): boolean {
  const alive = new Set<string>()
  for (const line of trace.split('\n')) {
    const pid = /^\d+/.exec(line)?.[0]
    if (pid === undefined) continue
    if (/^\d+ +\+\+\+ (exited|killed|superseded)/.test(line)) alive.delete(pid)
    else alive.add(pid)
  }
  return trace !== '' && alive.size === 0
}

/** The quoted strings of a line of strace, unescaped, a byte a character. */
export function stringsOf(line: string): readonly string[] {
  return Array.from(line.matchAll(/"((?:[^"\\]|\\.)*)"/g), ([, quoted]) => unquote(quoted as string))
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', v: '\v', f: '\f' }

function unquote(quoted: string): string {
  return quoted.replace(/\\([0-7]{1,3}|.)/g, (_, code: string) =>
    /^[0-7]/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (ESCAPES[code] ?? code),
  )
}
