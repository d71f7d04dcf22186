/** How a ring comes into a haproxy.cfg: which listeners have it, what is added, and what a ring's settings say. */
import { at } from '../findings.ts'
import type { OwnListener } from '../own-configuration.ts'
import { type Places, type RewrittenLine, type Word, wordFor } from '../places.ts'
import { LIFETIME, type Proof } from '../proof.ts'
import type { Bind } from './bind.ts'
import type { Item, ReadHaproxy } from './read.ts'
import { writeLine } from './words.ts'

/** Where the lines of docs/machines.md have them. */
const KEYS = '/run/ticketring/edge/haproxy.keys'
const SOCKET = '/run/haproxy/admin.sock'
const PROOF = '/run/haproxy/edge.sock'
const KEY_SIZE = 80

/** A configuration that can be rehearsed. */
export interface PlannedHaproxy {
  readonly lines: readonly RewrittenLine[]
  readonly listeners: readonly OwnListener[]
  readonly proofs: readonly Proof[]
  /** `haproxy` of a ring's `servers`. */
  readonly settings: object
}

/** Decides about the ring; what is in its way is among the findings. */
export function planHaproxy(read: ReadHaproxy): PlannedHaproxy {
  const binds = read.items.flatMap((item) => ('bind' in item && item.bind.isTls ? [item.bind] : []))
  const { keyFile, ring } = ringOf(binds, read)
  const proofs = proofsOf(ring)
  const addition = proofs.length === 0 ? proofOf(ring[0], keyFile) : undefined
  if (addition !== undefined) read.findings.add(addition.bind.spot, `beside it: ${addition.shown}`)
  const lines = read.items.flatMap((item) => linesOf(item, ring, addition))
  const proved = addition === undefined ? proofs : [addition.proof]
  return {
    lines: [...withGlobals(lines, read), ...WITHOUT_NAMESERVERS],
    listeners: ring.filter((bind) => !bind.isGuarded).flatMap(listenersOf),
    proofs: proved,
    settings: {
      keys: keyFile,
      keySize: KEY_SIZE,
      socket: read.socket ?? SOCKET,
      owner: 'root',
      verify: proved.map(({ named, serverName }) => ({ address: named, serverName })),
    },
  }
}

/** The listeners that have the ring, or are given it here. */
function ringOf(binds: readonly Bind[], { findings, file }: ReadHaproxy) {
  const able = binds.filter((bind) => !bind.withoutTickets)
  for (const { spot, withoutTickets } of binds)
    if (withoutTickets) findings.say(spot, 'no-tls-tickets: this listener has no part in a ring')
  const keyFile = able.find((bind) => bind.keyFile !== undefined)?.keyFile
  for (const { spot, keyFile: other } of able)
    if (other !== undefined && other !== keyFile)
      findings.say(spot, `${other} is of another ring: this listener runs without it`)
  const ring = able.filter((bind) => (keyFile === undefined ? !bind.isGuarded : bind.keyFile === keyFile))
  const spot = { file, line: ring[0]?.spot.line ?? 1 }
  if (binds.length === 0)
    findings.refuse(spot, 'no listener takes TLS', 'wanted a bind line with ssl and crt, and a TCP port')
  else if (!ring.some((bind) => !bind.isGuarded && bind.addresses.some(({ port }) => port !== undefined)))
    findings.refuse(
      spot,
      'every listener demands a client certificate, has no tickets or no TCP port',
      'wanted one with the ring that clients of the rehearsal, who have no certificate, can come to',
    )
  const isMixed = ring.some((bind) => bind.isGuarded) && !ring.every((bind) => bind.isGuarded)
  for (const { spot: guarded, isGuarded } of ring)
    if (isGuarded && isMixed)
      findings.refuse(
        guarded,
        `demands a client certificate, and shares ${keyFile} with a listener that does not (auth-bypass)`,
        'name a key file of another ring there, or none',
      )
  if (keyFile === undefined)
    for (const bind of ring) findings.add(bind.spot, `at its end: tls-ticket-keys ${KEYS}`)
  return { keyFile: keyFile ?? KEYS, ring }
}

/** Listeners that root reaches without PROXY protocol. */
function proofsOf(ring: readonly Bind[]): readonly Proof[] {
  const plain = ring.filter((bind) => !bind.isProxied)
  const all = plain.flatMap(({ addresses, names: [serverName = ''] }) =>
    addresses.flatMap(({ named, here }) => {
      const shown = (places: Places) => wordFor(here, places).replace(/^unix@/, 'unix:')
      return named === undefined ? [] : [{ named, here: shown, serverName }]
    }),
  )
  const sockets = all.filter(({ named }) => named.startsWith('unix:'))
  return sockets.length > 0 ? sockets.slice(0, 1) : all
}

/** A listener that root alone reaches, beside one that speaks PROXY protocol alone. */
function proofOf(bind: Bind | undefined, keyFile: string) {
  if (bind === undefined) return undefined
  const files = ['ssl', ...bind.presents]
  const shown = writeLine([
    ...['bind', `unix@${PROOF}`, 'mode', '600', 'ssl', ...bind.written],
    ...['tls-ticket-keys', keyFile],
  ])
  const here = (places: Places) => `unix@${places.file('edge.sock')}`
  const words: readonly Word[] = ['bind', here, 'mode', '600', ...files, ...TICKETS]
  const proof: Proof = {
    named: `unix:${PROOF}`,
    here: ({ file }) => `unix:${file('edge.sock')}`,
    serverName: bind.names[0] as string,
  }
  return { bind, shown, words, proof }
}

/**
 * HAProxy (2.6 at least) makes this section of /etc/resolv.conf for its own HTTP client, and connects to what that names
 * when it starts. Nothing asks this one.
 */
const WITHOUT_NAMESERVERS: readonly RewrittenLine[] = [
  { words: ['resolvers', 'default'] },
  { words: ['nameserver', 'none', ({ backend }) => `127.0.0.1:${backend}`] },
]

const TICKETS: readonly Word[] = ['tls-ticket-keys', ({ keys }) => keys]

function linesOf(
  item: Item,
  ring: readonly Bind[],
  addition: ReturnType<typeof proofOf>,
): readonly RewrittenLine[] {
  if ('words' in item) return [item]
  const { bind, line } = item
  const joined: Word = (places) => bind.addresses.map(({ here }) => wordFor(here, places)).join(',')
  const tickets = ring.includes(bind) ? TICKETS : []
  const proxied = bind.isProxied ? ['accept-proxy'] : []
  const own = { line, words: ['bind', joined, ...proxied, ...bind.options, ...tickets] }
  return addition?.bind === bind ? [own, { line, words: addition.words }] : [own]
}

function listenersOf({ addresses, spot, names, isProxied }: Bind): readonly OwnListener[] {
  return addresses.flatMap(({ port }) =>
    port === undefined ? [] : [{ spot: at(spot), port, serverNames: names, proxyProtocol: isProxied }],
  )
}

/** The runtime socket and the lifetime, where the file has none that will do. */
function withGlobals(lines: readonly RewrittenLine[], read: ReadHaproxy): readonly RewrittenLine[] {
  const { findings, socket, lifetime, global, file } = read
  const needed: RewrittenLine[] = []
  const say = (text: string) =>
    findings.add(global === undefined ? file : { file, line: global }, `in global: ${text}`)
  if (socket === undefined) {
    say(`stats socket ${SOCKET} mode 600 level admin`)
    const path: Word = (places) => places.file('admin.sock')
    needed.push({ words: ['stats', 'socket', path, 'mode', '600', 'level', 'admin'] })
  }
  if (lifetime === undefined || lifetime.seconds > LIFETIME) say(`tune.ssl.lifetime ${LIFETIME}`)
  const seconds = Math.floor(Math.min(lifetime?.seconds ?? LIFETIME, LIFETIME))
  needed.push({ words: ['tune.ssl.lifetime', `${seconds}`] })
  const index = lines.findIndex(({ words: [first], line }) => first === 'global' && line === global)
  if (index < 0) return [{ words: ['global'] }, ...needed, ...lines]
  return [...lines.slice(0, index + 1), ...needed, ...lines.slice(index + 1)]
}
