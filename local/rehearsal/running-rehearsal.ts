import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import type { Kind } from './machines/kinds.ts'
import { RUNNING } from './project-root.ts'
import { RehearsalError } from './rehearsal-error.ts'

/** How to reach a rehearsal that stays up. Its credentials open nothing but the loopback AWS. */
export interface Running {
  /** Of the rehearsal. */
  readonly pid: number
  readonly aws: {
    readonly endpoint: string
    readonly region: string
    readonly accessKeyId: string
    readonly secretAccessKey: string
  }
  /** Function names by short key: `rotate` and `staple`, and those that only look, `status` and `staple-status`. */
  readonly functions: Readonly<Record<string, string>>
  /** ARN of the ring's secret. */
  readonly secret: string
  readonly instances: readonly {
    readonly id: string
    readonly server: Kind
    /** A listener that takes plain TLS. */
    readonly address: string
    readonly serverName: string
    readonly keyFiles: readonly string[]
  }[]
}

const FOLDER = dirname(RUNNING)
const fileOf = (pid: number) => join(FOLDER, `rehearsal-${pid}.json`)

/** @throws RehearsalError where nothing could be announced later: another user's folder, say. */
export function requireAnnounceable(): void {
  try {
    mkdirSync(FOLDER, { recursive: true })
    accessSync(FOLDER, constants.W_OK)
  } catch (cause) {
    const { username } = userInfo()
    throw new RehearsalError(
      `A rehearsal that stays up writes to ${FOLDER}, which the user ${username} may not`,
      'Remove that folder, have its owner run it, or leave out --keep',
      cause,
    )
  }
}

/**
 * Says how to reach this rehearsal: in a file of its own, and in the one for all where no other is up.
 * @returns whether it is the one that is reached without being named.
 */
export function announce(running: Running): boolean {
  mkdirSync(FOLDER, { recursive: true })
  forgetTheDead()
  const own = fileOf(running.pid)
  writeFileSync(own, `${JSON.stringify(running, null, 2)}\n`, { mode: 0o600 })
  try {
    // A link, not a copy: who waits for the file never reads half of it, and of two rehearsals one gets it.
    linkSync(own, RUNNING)
    return true
  } catch {
    return false
  }
}

export function withdraw(pid: number): void {
  if (findRunning()?.pid === pid) rmSync(RUNNING, { force: true })
  rmSync(fileOf(pid), { force: true })
}

/**
 * The rehearsal that is up, or undefined.
 * @param pid which one; without it, the first that came.
 */
export function findRunning(pid?: number): Running | undefined {
  try {
    return JSON.parse(readFileSync(pid === undefined ? RUNNING : fileOf(pid), 'utf8')) as Running
  } catch {
    return undefined
  }
}

/** Process numbers of all rehearsals that are up. */
export function allRunning(): readonly number[] {
  return existsSync(FOLDER) ? announced().filter((pid) => existsSync(`/proc/${pid}`)) : []
}

function announced(): readonly number[] {
  const numbers = readdirSync(FOLDER).map((name) => /^rehearsal-(\d+)\.json$/.exec(name)?.[1])
  return numbers.filter((pid) => pid !== undefined).map(Number)
}

/** A rehearsal that was killed could not withdraw. */
function forgetTheDead(): void {
  const up = allRunning()
  if (!up.includes(findRunning()?.pid ?? 0)) rmSync(RUNNING, { force: true })
  for (const pid of announced()) if (!up.includes(pid)) rmSync(fileOf(pid), { force: true })
}
