import { randomInt } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { planOwn } from '../machines/fleet.ts'
import { terminatorOf } from '../machines/kinds.ts'
import { makePki, type Pki } from '../machines/pki.ts'
import type { Options } from '../options.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import { forgetDisk, forgetMemory, openWorkspace, type Workspace } from '../workspace.ts'
import { DISK, readConfiguration } from './disk.ts'
import { ownHaproxy } from './haproxy/own-haproxy.ts'
import { ownNginx } from './nginx/own-nginx.ts'
import type { OwnConfiguration, OwnConfigurations } from './own-configuration.ts'

const READERS = { haproxy: ownHaproxy, nginx: ownNginx } as const
type OwnKind = keyof typeof READERS

/**
 * Reads the user's configurations, and asks each server about the copy that its machines will run.
 * @throws RehearsalError where one cannot be rehearsed: with its lines and what to do.
 */
export async function readOwnConfigurations(files: Options['configurations']): Promise<OwnConfigurations> {
  const read = Object.entries(files).map(([kind, file]) => {
    const text = readConfiguration(`--${kind}-config`, file)
    return [kind as OwnKind, READERS[kind as OwnKind](file, text, DISK)] as const
  })
  await judge(read)
  return Object.fromEntries(read)
}

/** By each server's own test, of a machine that is there for nothing else. */
async function judge(read: readonly (readonly [OwnKind, OwnConfiguration])[]): Promise<void> {
  const workspace = openWorkspace()
  try {
    const pki = makePki(workspace.disk)
    for (const [kind, own] of read) await judgeOne(kind, own, pki, workspace)
  } finally {
    forgetMemory(workspace)
    forgetDisk(workspace)
  }
}

async function judgeOne(kind: OwnKind, own: OwnConfiguration, pki: Pki, workspace: Workspace): Promise<void> {
  const plan = { proxyProtocol: false, agent: 'current', pki, workspace } as const
  // Nothing is asked of its backends.
  const machine = await planOwn(kind, plan, own, randomInt(1, 1024))
  const terminator = terminatorOf(machine)
  mkdirSync(machine.directory)
  mkdirSync(machine.memory, { mode: 0o700 })
  terminator.configure(machine)
  for (const file of terminator.keyFiles(machine)) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, own.standInKeys(), { mode: 0o600 })
  }
  const objection = own.objection(machine)
  if (objection === undefined) return
  throw new RehearsalError(
    `${terminator.needs} refuses ${own.file}:\n${objection.trim()}`,
    'Mend it, or a copy of it',
  )
}
