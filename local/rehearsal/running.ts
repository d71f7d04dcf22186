import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { RUNNING } from './layout.ts'
import type { Kind } from './options.ts'

/** How to reach a rehearsal that stays up. Its credentials open nothing but the loopback AWS. */
export interface Running {
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

export function announce(running: Running): void {
  mkdirSync(dirname(RUNNING), { recursive: true })
  // Written beside, then renamed: whoever waits for the file never reads half of it.
  writeFileSync(`${RUNNING}.new`, `${JSON.stringify(running, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${RUNNING}.new`, RUNNING)
}

export function withdraw(): void {
  rmSync(RUNNING, { force: true })
}

/** The rehearsal that is up, or undefined. */
export function findRunning(): Running | undefined {
  try {
    return JSON.parse(readFileSync(RUNNING, 'utf8')) as Running
  } catch {
    return undefined
  }
}
