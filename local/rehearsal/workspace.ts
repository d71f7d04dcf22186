import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RehearsalError } from './rehearsal-error.ts'

/** Linux's magic number of tmpfs, statfs(2). */
const TMPFS = 0x01021994
const SHARED_MEMORY = '/dev/shm'

/** The folders of one run: one on disk, one on tmpfs for whatever may hold a key. */
export interface Workspace {
  readonly disk: string
  readonly memory: string
  /** Where traces of processes are: on tmpfs, yet searched. */
  readonly traces: string
}

/**
 * Opens folders that are this process's own, whatever other rehearsals run on this machine.
 * @throws RehearsalError where there is no tmpfs: keys must not touch a disk.
 */
export function openWorkspace(): Workspace {
  if (statfsSync(SHARED_MEMORY, { bigint: false }).type !== TMPFS) {
    throw new RehearsalError(
      `${SHARED_MEMORY} is no tmpfs, so keys would touch a disk`,
      `Mount a tmpfs at ${SHARED_MEMORY}`,
    )
  }
  forgetTheDead()
  const memory = mkdtempSync(join(SHARED_MEMORY, `ticketring-${process.pid}-`))
  // Whatever ends us; again at an orderly end, for what a process that was killed too late may have written.
  process.once('exit', () => remove(memory))
  const traces = join(memory, 'traces')
  mkdirSync(traces, { mode: 0o700 })
  return { disk: mkdtempSync(join(tmpdir(), 'ticketring-')), memory, traces }
}

export function forgetMemory({ memory }: Pick<Workspace, 'memory'>): void {
  remove(memory)
}

export function forgetDisk({ disk }: Pick<Workspace, 'disk'>): void {
  remove(disk)
}

/** A process that was killed a moment ago may still have written. */
function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
}

/** Removes what our own rehearsals left that were killed: their keys are of no use any more. Another user's stay. */
function forgetTheDead(): void {
  for (const name of readdirSync(SHARED_MEMORY)) {
    const pid = /^ticketring-(\d+)-[0-9A-Za-z]{6}$/.exec(name)?.[1]
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue
    const folder = join(SHARED_MEMORY, name)
    if (lstatSync(folder, { throwIfNoEntry: false })?.uid === process.getuid?.()) remove(folder)
  }
}
