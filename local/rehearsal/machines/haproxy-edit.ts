/** What an operator does to a machine's haproxy.cfg by hand. */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { RehearsalError } from '../rehearsal-error.ts'
import { configuration, reload } from './haproxy.ts'
import type { Machine } from './machine.ts'
import { takesConnections } from './ports.ts'

/** ms */
const PATIENCE = 60_000

/**
 * A listener on the machine's own port that demands a client certificate, on the key file of the open ones.
 * @returns what takes it out again.
 */
export async function addGuardedListener(machine: Machine): Promise<() => Promise<void>> {
  const file = configuration(machine)
  const before = readFileSync(file, 'utf8')
  // The one that proves the ring has the same certificates and the same keys.
  const [, files] = /^ +bind unix@\S+ mode 600 (ssl .*)$/m.exec(before) as RegExpExecArray
  const guarded = `bind 127.0.0.1:${machine.ownPort} ${files} verify required ca-file ${machine.pki.root}`
  writeFileSync(file, before.replace(/^( +)bind unix@/m, `$1${guarded}\n$1bind unix@`))
  await reloaded(machine, true)
  return async () => {
    writeFileSync(file, before)
    await reloaded(machine, false)
  }
}

/** @param listens whether it listens on its own port afterwards. */
async function reloaded(machine: Machine, listens: boolean): Promise<void> {
  await promisify(execFile)('sh', [reload(machine)])
  const deadline = Date.now() + PATIENCE
  while ((await takesConnections(machine.ownPort)) !== listens) {
    if (Date.now() > deadline) throw new RehearsalError(`HAProxy on ${machine.id} did not take its reload`)
    await pause(25)
  }
}
