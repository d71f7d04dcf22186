/**
 * A stand-in for Envoy, which no registry has: it follows the resource file as Envoy's documentation has it, and its
 * handshakes are nginx's, whose keys have the same layout. What it shows is the file, never Envoy.
 */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  type FSWatcher,
  mkdirSync,
  readFileSync,
  renameSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { userInfo } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { toLayout } from '../../lambda/ring/layouts.ts'
import type { Ring } from '../../lambda/ring/ring.ts'
import { startNginx, type Terminator } from './terminators.ts'

export const SECRET = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret'
const NAME = 'session_ticket_keys'

/** Starts the stand-in with this ring in its file. */
export async function startEnvoyStandIn(ring: Ring): Promise<Terminator> {
  const keys = keysOf(ring)
  const nginx = await startNginx(keys)
  const keyFile = join(nginx.directory, 'sds', 'keys.json')
  mkdirSync(dirname(keyFile))
  writeFileSync(keyFile, resourceOf(keys), { mode: 0o400 })
  const watcher = follow(keyFile, nginx)
  return {
    ...nginx,
    server: 'envoy',
    keyFiles: [keyFile],
    settings: [`ENVOY_KEYS=${keyFile}`, `ENVOY_OWNER=${userInfo().username}`],
    restart: async () => {
      place(ticketKeysIn(readFileSync(keyFile, 'utf8')) ?? [], nginx)
      await nginx.restart()
    },
    stop: async () => {
      watcher.close()
      await nginx.stop()
    },
  }
}

/** The first encrypts. */
function keysOf({ current, next, previous }: Ring): Buffer[] {
  return [current, next, previous].map((key) => toLayout(key, 'nginx-80'))
}

function resourceOf(keys: readonly Buffer[]): string {
  const entries = keys.map((key) => ({ inline_bytes: key.toString('base64') }))
  return JSON.stringify({ resources: [{ '@type': SECRET, name: NAME, [NAME]: { keys: entries } }] })
}

/** Takes the file whenever a file was moved to its place, and at no other change of it. */
function follow(keyFile: string, nginx: Terminator): FSWatcher {
  return watch(dirname(keyFile), (event, name) => {
    if (event !== 'rename' || name !== basename(keyFile) || !existsSync(keyFile)) return
    const keys = ticketKeysIn(readFileSync(keyFile, 'utf8'))
    // What it cannot use it leaves, and serves on.
    if (keys === undefined) return
    place(keys, nginx)
    // Where it does not run there is nothing to tell.
    spawnSync('nginx', ['-s', 'reload', '-c', join(nginx.directory, 'nginx.conf')], { stdio: 'ignore' })
  })
}

/**
 * The keys of a DiscoveryResponse with one Secret, in JSON: no other fields than the messages have, and keys of 80 bytes.
 * Source: Envoy API v3, discovery.proto, secret.proto (Secret), common.proto (TlsSessionTicketKeys), base.proto (DataSource).
 */
export function ticketKeysIn(text: string): readonly Buffer[] | undefined {
  const response = JSON.parse(text) as { resources: Record<string, unknown>[] }
  const [secret = {}, ...others] = response.resources
  const keys = (secret[NAME] as { keys: Record<string, unknown>[] } | undefined)?.keys ?? []
  const bytes = keys.map(({ inline_bytes: given }) => Buffer.from(String(given), 'base64'))
  const sound =
    hasOnly(response, 'resources') &&
    others.length === 0 &&
    hasOnly(secret, '@type', 'name', NAME) &&
    secret['@type'] === SECRET &&
    secret.name === NAME &&
    hasOnly(secret[NAME], 'keys') &&
    keys.length > 0 &&
    keys.every((key) => hasOnly(key, 'inline_bytes')) &&
    bytes.every(({ length }) => length === 80)
  return sound ? bytes : undefined
}

function hasOnly(message: unknown, ...fields: readonly string[]): boolean {
  return (
    Object.keys(message as object)
      .toSorted()
      .join() === fields.toSorted().join()
  )
}

function place(keys: readonly Buffer[], { keyFiles }: Terminator): void {
  for (const [at, file] of keyFiles.entries()) {
    writeFileSync(`${file}.new`, keys[at] as Buffer, { mode: 0o400 })
    renameSync(`${file}.new`, file)
  }
}
