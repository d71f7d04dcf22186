import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Setback } from './setback.ts'

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
 * @param run the process id, a hyphen and something unique.
 * @throws Setback where there is no tmpfs: keys must not touch a disk.
 */
export function openWorkspace(run: string): Workspace {
  if (statfsSync(SHARED_MEMORY, { bigint: false }).type !== TMPFS) {
    throw new Setback(
      `${SHARED_MEMORY} is no tmpfs, so keys would touch a disk`,
      `Mount a tmpfs at ${SHARED_MEMORY}`,
    )
  }
  forgetTheDead()
  const memory = join(SHARED_MEMORY, `ticketring-${run}`)
  const traces = join(memory, 'traces')
  mkdirSync(traces, { recursive: true, mode: 0o700 })
  return { disk: mkdtempSync(join(tmpdir(), 'ticketring-')), memory, traces }
}

export function forgetMemory({ memory }: Workspace): void {
  rmSync(memory, { recursive: true, force: true })
}

export function forgetDisk({ disk }: Workspace): void {
  rmSync(disk, { recursive: true, force: true })
}

/** Removes what rehearsals left that were killed: their keys are of no use to anybody. */
function forgetTheDead(): void {
  for (const name of readdirSync(SHARED_MEMORY)) {
    const pid = /^ticketring-(\d+)-[0-9a-f]{6}$/.exec(name)?.[1]
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue
    rmSync(join(SHARED_MEMORY, name), { recursive: true, force: true })
  }
}
