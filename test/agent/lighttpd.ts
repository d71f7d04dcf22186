/** Real lighttpd, which drops its privileges where root starts it: it reads its key file as its own user. */
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync } from 'node:fs'
import { userInfo } from 'node:os'
import { toLayout } from '../../lambda/ring/layouts.ts'
import type { Ring } from '../../lambda/ring/ring.ts'
import type { Identity } from './identity.ts'
import { setUpServer } from './server-setup.ts'
import { type ListenerKind, lifeOf, ServerProcess, type Terminator } from './terminators.ts'

const isRoot = process.getuid?.() === 0
const USER = isRoot ? 'www-data' : userInfo().username

/** Starts lighttpd with this ring's current key in its file. */
export async function startLighttpd(ring: Ring): Promise<Terminator> {
  const setup = await setUpServer('lighttpd.key', lighttpdKey(ring))
  const { directory, identity, ports, keyFile, configure } = setup
  chmodSync(directory, 0o755)
  // What it reads again at a graceful restart it reads as its own user, its certificate too.
  const user = isRoot ? Number(execFileSync('id', ['-u', USER], { encoding: 'utf8' })) : -1
  for (const file of [keyFile, identity.site]) chownSync(file, user, -1)
  const configuration = configure('lighttpd.conf', lighttpdConfiguration(directory, keyFile, identity, ports))
  const server = new ServerProcess('lighttpd', ['-D', '-f', configuration], ports.plain)
  await server.start()
  return {
    server: 'lighttpd',
    directory,
    identity,
    ports,
    keyFiles: [keyFile],
    settings: [`LIGHTTPD_KEYS=${keyFile}`, `LIGHTTPD_OWNER=${USER}`, 'RUN_SECONDS=490'],
    ...lifeOf(server, directory),
  }
}

/** Version, activation and expiry, then the key as nginx has it. */
export function lighttpdKey({ current }: Ring): Buffer {
  const head = Buffer.from(new Int32Array([0, 1, 2_147_483_647]).buffer)
  return Buffer.concat([head, toLayout(current, 'nginx-80')])
}

/** It demands a client certificate on a port of its own, and for one name of the plain one. */
export const GUARDED_HOST = 'guarded.edge.test'

function lighttpdConfiguration(
  directory: string,
  keyFile: string,
  { site, certificate }: Identity,
  ports: Readonly<Record<ListenerKind, number>>,
): string {
  const guards = `ssl.verifyclient.activate = "enable"
  ssl.verifyclient.enforce = "enable"
  ssl.verifyclient.ca-file = "${certificate}"`
  const socket = (kind: ListenerKind, lines: string) => `$SERVER["socket"] == "127.0.0.1:${ports[kind]}" {
  ssl.engine = "enable"
  ssl.pemfile = "${site}"
  ${lines}
}`
  return `server.document-root = "${directory}/empty"
server.bind = "127.0.0.1"
server.port = ${ports.plain}
${isRoot ? `server.username = "${USER}"` : ''}
server.max-read-idle = 900
server.modules = ("mod_extforward", "mod_openssl")
ssl.engine = "enable"
ssl.pemfile = "${site}"
ssl.stapling-file = "${directory}/staples/site.ocsp"
ssl.stek-file = "${keyFile}"
${socket('tls12', 'ssl.openssl.ssl-conf-cmd = ("MaxProtocol" => "TLSv1.2")')}
${socket('proxy', 'extforward.hap-PROXY = "enable"')}
${socket('client-certificate', guards)}
$HTTP["host"] == "${GUARDED_HOST}" {
  ${guards}
}
`
}
