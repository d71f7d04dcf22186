/** How a ring comes into an nginx.conf: which servers have it, what is added, and what a ring's settings say. */
import { at, type Findings } from '../findings.ts'
import type { OwnListener } from '../own-configuration.ts'
import { FALLBACK_NAME, type Places, wordFor } from '../places.ts'
import { LIFETIME, type Proof } from '../proof.ts'
import type { Socket } from './listen.ts'
import type { Level, Line, ReadNginx, Server } from './read.ts'

/** Where the lines of docs/machines.md have them. */
const DIRECTORY = '/run/ticketring/edge'
const PROOF = '127.0.0.1:8445'
const SLOTS = ['current', 'next', 'previous'] as const
const KEY_SIZE = 80

/** A configuration that can be rehearsed. */
export interface PlannedNginx {
  readonly main: readonly Line[]
  readonly http: readonly Line[]
  readonly listeners: readonly OwnListener[]
  readonly proofs: readonly Proof[]
  /** `nginx` of a ring's `servers`. */
  readonly settings: object
}

/** A socket on which its default server has the ring: that one's keys count for all of it. */
interface Member {
  readonly socket: Socket
  readonly server: Server
  readonly names: readonly string[]
}

/** Decides about the ring; what is in its way is among the findings. */
export function planNginx(read: ReadNginx): PlannedNginx {
  const { http, servers, findings, file, main } = read
  if (http === undefined) {
    findings.refuse({ file, line: 1 }, 'no http block', 'wanted a server in it that listens with ssl')
    return { main, http: [], listeners: [], proofs: [], settings: {} }
  }
  const tls = servers.filter(({ listens }) => listens.some(({ socket }) => socket.isTls))
  const directory = directoryOf([http, ...servers])
  const ring = giveKeys(http, tls, directory, findings)
  const isGuarded = (server: Server) => (server.verify ?? http.verify) === 'on'
  refuseMixed(ring, isGuarded, findings)
  const members = membersOf(tls, ring)
  if (members.length === 0)
    findings.refuse(
      http.spot,
      tls.length === 0 ? 'no server takes TLS' : 'no listener has tickets',
      'wanted a server that listens with ssl on a TCP port',
    )
  for (const level of [http, ...servers]) limitLifetime(level, level === http, findings)
  const proofs = proofsOf(members, read)
  const guarded = ring.some(isGuarded) ? { clientCertificate: 'required' } : {}
  return {
    main,
    http: [...http.lines, ...servers.map(({ spot, lines }) => ({ words: ['server'], spot, block: lines }))],
    listeners: members.map(listenerOf),
    proofs,
    settings: {
      keys: directory ?? DIRECTORY,
      keySize: KEY_SIZE,
      owner: 'root',
      verify: proofs.map(({ named, serverName }) => ({ address: named, serverName, ...guarded })),
    },
  }
}

function slotOf(path: string): { readonly directory: string; readonly name: string } | undefined {
  const [, directory, name] = /^(.*)\/(nginx\.(?:current|next|previous)\.key)$/.exec(path) ?? []
  return directory === undefined || name === undefined ? undefined : { directory, name }
}

/** The directory of the ring that the file names first. */
function directoryOf(levels: readonly Level[]): string | undefined {
  return levels
    .flatMap(({ keys }) => keys.map(({ path }) => slotOf(path)?.directory))
    .find((each) => each !== undefined)
}

/** Puts the ring's lines where they are, or into http{}. @returns the servers that have it. */
function giveKeys(
  http: Level,
  servers: readonly Server[],
  directory: string | undefined,
  findings: Findings,
): readonly Server[] {
  const hasRing = ({ keys }: Level) =>
    directory !== undefined && keys.some(({ path }) => slotOf(path)?.directory === directory)
  if (directory === undefined) {
    for (const level of [http, ...servers])
      for (const { spot, path } of level.keys) findings.say(spot, `${path}: the ring's keys take its place`)
    http.lines.push(...SLOTS.map((slot) => keyLine(`nginx.${slot}.key`)))
    for (const slot of SLOTS)
      findings.add(http.spot, `in http: ssl_session_ticket_key ${DIRECTORY}/nginx.${slot}.key;`)
  }
  for (const level of [http, ...servers]) if (hasRing(level)) level.lines.push(...ringLines(level, directory))
  const isOf = (server: Server) => {
    if ((server.tickets ?? http.tickets) === false) {
      findings.say(server.spot, 'ssl_session_tickets off: this server has no part in a ring')
      return false
    }
    if (directory === undefined || hasRing(server)) return true
    if (server.keys.length === 0) return hasRing(http)
    findings.say(server.spot, 'ticket keys of another ring: this server runs without tickets')
    server.lines.push({ words: ['ssl_session_tickets', 'off'] })
    return false
  }
  return servers.filter(isOf)
}

function ringLines({ keys }: Level, directory: string | undefined): readonly Line[] {
  return keys.flatMap(({ spot, path }) => {
    const slot = slotOf(path)
    return slot?.directory === directory && slot !== undefined ? [{ ...keyLine(slot.name), spot }] : []
  })
}

function keyLine(name: string): Line {
  return { words: ['ssl_session_ticket_key', ({ keys }) => `${keys}/${name}`] }
}

/** What shares ticket keys shares authentication. */
function refuseMixed(
  ring: readonly Server[],
  isGuarded: (server: Server) => boolean,
  findings: Findings,
): void {
  if (ring.every(isGuarded)) return
  for (const server of ring.filter(isGuarded))
    findings.refuse(
      server.spot,
      'demands a client certificate, and shares the ring with servers that do not (auth-bypass)',
      'give it keys of another ring in a copy, or ssl_session_tickets off',
    )
}

function membersOf(tls: readonly Server[], ring: readonly Server[]): readonly Member[] {
  const sockets = new Set(tls.flatMap(({ listens }) => listens.map(({ socket }) => socket)))
  return [...sockets].flatMap((socket) => {
    const sharing = tls.filter(({ listens }) => listens.some((each) => each.socket === socket))
    const isDefault = ({ listens }: Server) =>
      listens.some((each) => each.socket === socket && each.isDefault)
    const server = sharing.find(isDefault) ?? sharing[0]
    if (!socket.isTls || socket.port === undefined || server === undefined || !ring.includes(server))
      return []
    const others = sharing.filter((each) => ring.includes(each) && each !== server)
    const names = [...new Set([server, ...others].flatMap((each) => each.names))]
    return [{ socket, server, names: names.length === 0 ? [FALLBACK_NAME] : names }]
  })
}

function listenerOf({ socket, server, names }: Member): OwnListener {
  return {
    spot: at(server.spot),
    port: socket.port ?? 0,
    serverNames: names,
    proxyProtocol: socket.isProxied,
  }
}

/** One of each socket that takes plain TLS; a listener more where none does. */
function proofsOf(members: readonly Member[], { sockets, findings }: ReadNginx): readonly Proof[] {
  const plain = members.flatMap(({ socket: { named, here, isProxied }, names: [serverName = ''] }) =>
    named === undefined || isProxied ? [] : [{ named, here, serverName }],
  )
  const [first] = members
  if (plain.length > 0 || first === undefined) return plain
  const { here } = sockets.another(PROOF)
  first.server.lines.push({ words: ['listen', here, 'ssl'] })
  findings.add(first.server.spot, `in this server: listen ${PROOF} ssl;`)
  return [{ named: PROOF, here, serverName: first.names[0] as string }]
}

/** How long tickets live: as long as the file says, and no longer than a ring's. */
function limitLifetime({ timeout, lines, spot }: Level, isHttp: boolean, findings: Findings): void {
  if (timeout === undefined && !isHttp) return
  const isShort = timeout !== undefined && timeout.seconds <= LIFETIME
  const seconds = isShort ? Math.floor(timeout.seconds) : LIFETIME
  if (!isShort) findings.add(timeout?.spot ?? spot, `ssl_session_timeout ${LIFETIME}s;`)
  lines.push({ words: ['ssl_session_timeout', `${seconds}s`] })
}

/** A proof as the machine's own settings name it. */
export function proofAt({ here, serverName }: Proof, places: Places): string {
  return `${wordFor(here, places)}=${serverName}`
}
