/** Real dnsdist, with DNS over TLS and over HTTPS, and no server behind it. */
import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import { toLayout } from '../../lambda/ring/layouts.ts'
import type { Ring } from '../../lambda/ring/ring.ts'
import { freePorts } from '../../local/rehearsal/machines/ports.ts'
import type { Identity } from './identity.ts'
import { setUpServer } from './server-setup.ts'
import { type ListenerKind, lifeOf, ServerProcess, type Terminator } from './terminators.ts'

const TICKETS = 'numberOfTicketsKeys=3, ticketsKeysRotationDelay=0'

/** Starts dnsdist with this ring in its file. `plain` is DNS over TLS, `other` DNS over HTTPS. */
export async function startDnsdist(ring: Ring): Promise<Terminator> {
  const setup = await setUpServer('dnsdist.keys', dnsdistKeys(ring))
  const { directory, identity, ports, keyFile, configure } = setup
  const [console] = (await freePorts(1)) as [number]
  const configuration = configure('dnsdist.conf', dnsdistConfiguration(keyFile, identity, ports, console))
  const server = new ServerProcess('dnsdist', ['--supervised', '-C', configuration], ports.plain)
  await server.start()
  return {
    server: 'dnsdist',
    directory,
    identity,
    ports,
    keyFiles: [keyFile],
    settings: [
      `DNSDIST_KEYS=${keyFile}`,
      `DNSDIST_CONSOLE=dnsdist -C ${configuration} -c`,
      `DNSDIST_OWNER=${userInfo().username}`,
    ],
    ...lifeOf(server, directory),
  }
}

/** What dnsdist reads: HAProxy's layout in binary; the last of them encrypts. */
export function dnsdistKeys({ previous, current, next }: Ring): Buffer {
  return Buffer.concat([previous, next, current].map((key) => toLayout(key, 'haproxy-80')))
}

/** It would ask a name server of its makers' when it starts, but for `setSecurityPollSuffix`. Plain DNS it has always, by UDP. */
function dnsdistConfiguration(
  keyFile: string,
  { certificate, key }: Identity,
  ports: Readonly<Record<ListenerKind, number>>,
  console: number,
): string {
  const listener = (kind: ListenerKind) => `"127.0.0.1:${ports[kind]}", "${certificate}", "${key}"`
  return `setSecurityPollSuffix("")
setKey("${randomBytes(32).toString('base64')}")
controlSocket("127.0.0.1:${console}")
setLocal("127.0.0.2:${console}")
addTLSLocal(${listener('plain')}, {ticketKeyFile="${keyFile}", ${TICKETS}})
addDOHLocal(${listener('other')}, "/dns-query", {ticketKeyFile="${keyFile}", ${TICKETS}})
`
}
