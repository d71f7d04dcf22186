/** Takes tools of PATH away or stands before them, and ends a run at a chosen call to the kernel. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const PLACES = ['/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** A PATH directory that holds every tool of this machine but these. */
export function pathWithout(directory: string, ...missing: string[]): string {
  const path = join(directory, `without-${missing.join('-')}`)
  mkdirSync(path)
  for (const tool of new Set(PLACES.filter(existsSync).flatMap((place) => readdirSync(place)))) {
    if (!missing.includes(tool)) symlinkSync(realPath(tool), join(path, tool))
  }
  return path
}

/** A PATH in which one tool is this shell script; `$real` is the tool itself. */
export function pathWith(directory: string, tool: string, body: string): string {
  const path = join(directory, `with-${tool}`)
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, tool), `#!/bin/sh\nreal=${realPath(tool)}\n${body}\n`, { mode: 0o755 })
  return `${path}:${PLACES.join(':')}`
}

/** Words that kill what follows them before or after call number `count` of this kind to the kernel, which are logged. */
export function killing(
  call: string,
  count: number,
  when: 'before' | 'after',
  log: string,
): readonly string[] {
  // Not by SIGKILL: the kernel leaves the call itself out for it.
  const fault = when === 'before' ? 'error=EIO:signal=USR1' : 'signal=USR1'
  return ['strace', '-qq', '-e', `trace=${call}`, '-e', `inject=${call}:${fault}:when=${count}`, '-o', log]
}

const CHANGING = ['rm', 'rmdir', 'unlink', 'mkdir', 'mkfifo', 'mv', 'ln', 'chown', 'chmod', 'install']

/** A PATH in which the tools that change a file system only note what they were asked. */
export class Fence {
  readonly path: string
  readonly #log: string

  constructor(directory: string) {
    this.#log = join(directory, 'asked')
    const tools = join(directory, 'fenced')
    mkdirSync(tools)
    const note = `#!/bin/sh\nprintf '%s\\n' "\${0##*/} $*" >>'${this.#log}'\n`
    for (const tool of CHANGING) writeFileSync(join(tools, tool), note, { mode: 0o755 })
    this.path = `${tools}:${PLACES.join(':')}`
  }

  /** What was asked since the last time, a line for each call. */
  asked(): readonly string[] {
    const lines = existsSync(this.#log) ? readFileSync(this.#log, 'utf8').split('\n').slice(0, -1) : []
    writeFileSync(this.#log, '')
    return lines
  }
}

function realPath(tool: string): string {
  const place = PLACES.find((each) => existsSync(join(each, tool)))
  if (place === undefined) throw new Error(`this machine has no ${tool}`)
  return join(place, tool)
}

/** True where this process may mount a file system. */
export function mountSmall(directory: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k,mode=755', 'tmpfs', directory], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

export function unmount(directory: string): void {
  execFileSync('umount', ['-l', directory])
}
