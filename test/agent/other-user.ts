/** A server whose master runs wholly as another user than root, from files that are root's. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ServerProcess, type Terminator } from './terminators.ts'

export const USER = 'nobody'
export const UID = Number(execFileSync('id', ['-u', USER], { encoding: 'utf8' }))
const GID = execFileSync('id', ['-g', USER], { encoding: 'utf8' }).trim()

/** What a server makes as it runs, by kind. */
const MADE: Readonly<Record<string, readonly string[]>> = {
  haproxy: ['admin.sock', 'operator.sock', 'proof.sock'],
  nginx: ['nginx.pid', 'error.log', 'scratch', 'proof.sock'],
}

/** Where it makes them, which is the user's own. */
export const ownDirectory = (directory: string) => join(directory, 'own')

/** Ends the server and starts it as {@link USER}, who owns the key files as well. */
export async function restartAsUser(terminator: Terminator): Promise<ServerProcess> {
  await terminator.halt()
  const { directory, server, keyFiles, identity, ports } = terminator
  const configuration = join(directory, server === 'haproxy' ? 'haproxy.cfg' : 'nginx.conf')
  let text = readFileSync(configuration, 'utf8')
  for (const name of MADE[server] ?? []) {
    text = text.replaceAll(`${directory}/${name}`, `${ownDirectory(directory)}/${name}`)
    rmSync(join(directory, name), { force: true, recursive: true })
  }
  writeFileSync(configuration, text)
  mkdirSync(ownDirectory(directory))
  chmodSync(directory, 0o755)
  const material = [
    identity.certificate,
    identity.key,
    identity.site,
    join(directory, 'other.key'),
    join(directory, 'other.keys'),
  ]
  const there = material.filter((file) =>
    readdirSync(join(file, '..')).includes(file.split('/').at(-1) ?? ''),
  )
  execFileSync('chown', ['-R', USER, ownDirectory(directory), ...there, ...keyFiles])
  const words = server === 'haproxy' ? ['haproxy', '-W', '-f', configuration] : ['nginx', '-c', configuration]
  const process = new ServerProcess(
    'setpriv',
    ['--reuid', USER, '--regid', GID, '--clear-groups', ...words],
    ports.plain,
  )
  await process.start()
  return process
}
