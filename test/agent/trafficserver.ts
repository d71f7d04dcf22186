/** Real Traffic Server under its manager, in a tree of its own and as its own user: it does not run as root. */
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { toLayout } from '../../lambda/ring/layouts.ts'
import type { Ring } from '../../lambda/ring/ring.ts'
import { freePorts } from '../../local/rehearsal/machines/ports.ts'
import { treeOf } from '../../local/rehearsal/machines/trafficserver.ts'
import type { Identity } from './identity.ts'
import { setUpServer } from './server-setup.ts'
import { type ListenerKind, lifeOf, ServerProcess, type Terminator } from './terminators.ts'

const isRoot = process.getuid?.() === 0
const USER = isRoot ? 'trafficserver' : userInfo().username

/** Starts Traffic Server with this ring in its file. */
export async function startTrafficserver(ring: Ring): Promise<Terminator> {
  // Nothing listens there.
  const responderOf = (ports: Readonly<Record<ListenerKind, number>>) =>
    `http://127.0.0.1:${ports['tickets-off']}/`
  const setup = await setUpServer('trafficserver.keys', trafficserverKeys(ring), responderOf)
  const { directory, identity, ports, keyFile } = setup
  chmodSync(directory, 0o755)
  const tree = await plantTree(directory, keyFile, identity, ports)
  give([keyFile, identity.certificate, identity.key, ...tree])
  const root = `TS_RUNROOT=${directory}/runroot.yaml`
  const asUser = isRoot ? ['setpriv', '--reuid', USER, '--regid', USER, '--clear-groups'] : []
  const [command = '', ...words] = [...asUser, 'env', root, 'traffic_manager']
  const server = new ServerProcess(command, words, ports.plain)
  await server.start()
  return {
    server: 'trafficserver',
    directory,
    identity,
    ports,
    keyFiles: [keyFile],
    settings: [
      `TRAFFICSERVER_KEYS=${keyFile}`,
      `TRAFFICSERVER_OWNER=${USER}`,
      `TRAFFICSERVER_RELOAD=env ${root} traffic_ctl config reload`,
    ],
    ...lifeOf(server, directory),
  }
}

/** What it reads: the first one encrypts. */
export function trafficserverKeys({ current, next, previous }: Ring): Buffer {
  return Buffer.concat([current, next, previous].map((key) => toLayout(key, 'trafficserver-48')))
}

function give(paths: readonly string[]): void {
  if (!isRoot) return
  const [uid, gid] = ['-u', '-g'].map((what) =>
    Number(execFileSync('id', [what, USER], { encoding: 'utf8' })),
  )
  for (const path of paths) chownSync(path, uid as number, gid as number)
}

/** Its configuration, and directories that it writes in. */
async function plantTree(
  directory: string,
  keyFile: string,
  identity: Identity,
  ports: Readonly<Record<ListenerKind, number>>,
): Promise<readonly string[]> {
  const [managerPort] = (await freePorts(1)) as [number]
  const at = (name: string) => join(directory, 'trafficserver', name)
  const folders = ['', 'etc', 'run', 'log', 'cache'].map(at)
  for (const folder of folders) mkdirSync(folder)
  const files: readonly (readonly [string, string])[] = [
    [at('etc/records.config'), recordsConfig(keyFile, identity, managerPort, ports)],
    [at('etc/ssl_multicert.config'), certificatesConfig(directory, identity)],
    [at('etc/storage.config'), `${at('cache')} 16M\n`],
    [at('etc/ip_allow.yaml'), IP_ALLOW],
    [at('etc/sni.yaml'), SNI],
    ...['remap.config', 'plugin.config', 'logging.yaml'].map((name) => [at(`etc/${name}`), ''] as const),
  ]
  for (const [file, text] of files) writeFileSync(file, text)
  writeFileSync(join(directory, 'runroot.yaml'), treeOf(at))
  return [...folders, ...files.map(([file]) => file)]
}

function recordsConfig(
  keyFile: string,
  { certificate, key }: Identity,
  managerPort: number,
  { plain, proxy }: Readonly<Record<ListenerKind, number>>,
): string {
  return `CONFIG proxy.config.http.server_ports STRING ${plain}:ssl:ip-in=127.0.0.1 ${proxy}:ssl:pp:ip-in=127.0.0.1
CONFIG proxy.config.ssl.server.ticket_key.filename STRING ${keyFile}
CONFIG proxy.config.ssl.server.cert.path STRING ${dirname(certificate)}
CONFIG proxy.config.ssl.server.private_key.path STRING ${dirname(key)}
CONFIG proxy.config.ssl.ocsp.enabled INT 1
CONFIG proxy.config.ssl.ocsp.cache_timeout INT 2147483647
CONFIG proxy.config.process_manager.mgmt_port INT ${managerPort}
CONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 2
CONFIG proxy.config.http.cache.http INT 0
CONFIG proxy.config.crash_log_helper STRING NULL
`
}

/** The name of the certificate's file is part of what its sessions are for: on every machine it must be the same. */
function certificatesConfig(directory: string, { certificate, key }: Identity): string {
  const pair = `ssl_cert_name=${basename(certificate)} ssl_key_name=${basename(key)}`
  return `dest_ip=* ${pair} ssl_ocsp_name=${directory}/staples/site.ocsp\n`
}

const IP_ALLOW = `ip_allow:
- apply: in
  ip_addrs: 127.0.0.1
  action: allow
  methods: ALL
`

/** A name that is demanded a client certificate for. */
export const GUARDED_NAME = 'guarded.edge.test'
const SNI = `sni:
- fqdn: ${GUARDED_NAME}
  verify_client: STRICT
`
