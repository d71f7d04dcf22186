import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { missingRequirements, packagesOf } from '../../../bin/requirements.mjs'
import { RehearsalError } from '../rehearsal-error.ts'
import { type Fleet, kindsOf, TERMINATORS } from './kinds.ts'

/** Where servers live, which an ordinary user's path leaves out. */
export const SERVER_PATH = [process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter)

/** @throws RehearsalError where a kind of server that the fleet has is not installed: which package brings it. */
export function requireInstalled(fleet: Fleet, path = SERVER_PATH): void {
  const needed: readonly string[] = kindsOf(fleet).map((kind) => TERMINATORS[kind].needs)
  const missing = missingRequirements(
    (word) => (word.startsWith('/') ? existsSync(word) : isIn(path, word)),
    ({ command }) => needed.includes(command),
  )
  if (missing.length === 0) return
  const commands = missing.map(({ command }) => command).join(', ')
  const packages = packagesOf(missing).join(' ')
  throw new RehearsalError(
    `The fleet needs what is not installed: ${commands}`,
    `npm run setup installs it, or on Debian and Ubuntu: sudo apt-get install --no-install-recommends ${packages}`,
  )
}

function isIn(path: string, command: string): boolean {
  return path.split(delimiter).some((folder) => folder !== '' && isExecutable(join(folder, command)))
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
