/** What an operator does to a machine's nginx.conf by hand. */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Machine } from './machine.ts'
import { configuration, words } from './nginx.ts'
import { SERVER_PATH } from './required-servers.ts'

/** Puts lines at the end of http{}; nothing is reloaded. @returns what takes them out again. */
export function editNginx(machine: Machine, lines: string): () => void {
  const file = configuration(machine)
  const before = readFileSync(file, 'utf8')
  writeFileSync(file, before.replace(/}\n$/, `${lines}\n}\n`))
  return () => writeFileSync(file, before)
}

export async function reloadNginx(machine: Machine): Promise<void> {
  const [command = '', ...rest] = [...words(machine), '-s', 'reload']
  await promisify(execFile)(command, rest, { env: { PATH: SERVER_PATH } })
}
