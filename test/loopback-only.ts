import { createSocket } from 'node:dgram'
import dns from 'node:dns'
import { once } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import { BlockList, createServer, isIP } from 'node:net'
import { constants } from 'node:os'

type Method = (this: unknown, ...args: unknown[]) => unknown
type Methods = Record<string, Method>

const REFUSED = -constants.errno.EACCES
const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

export function isLoopback(address: string): boolean {
  const family = isIP(address)
  // An IPv6 address that holds an IPv4 one is judged by that.
  return family === 0 ? address === 'localhost' : loopback.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

// Test files that share a process share its guard.
const shared = globalThis as { triedToLeave?: string[] }

/** From now on nothing that this process does leaves the machine: what would is refused, as by a firewall. */
export async function stayOnLoopback(): Promise<void> {
  if (shared.triedToLeave !== undefined) return
  shared.triedToLeave = []
  await guardSockets(shared.triedToLeave)
  guardNames(shared.triedToLeave)
}

/** @throws if anything was tried since it was last asked, whatever became of the refusal. */
export function insistOnLoopback(): void {
  const tried = shared.triedToLeave?.splice(0) ?? []
  if (tried.length > 0)
    throw new Error(`a test connects to loopback only, but this was asked for: ${tried.join('\n')}`)
}

/** Below every socket of Node: `net`, `tls`, `http`, `fetch` and the SDK all end here, whoever resolved the name. */
async function guardSockets(tried: string[]): Promise<void> {
  const server = createServer().listen(0, '127.0.0.1')
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await Promise.all([once(server, 'listening'), once(socket, 'listening')])
  const [tcp, udp] = [handleOf(server), handleOf(statesOf(socket).find((state) => handleIn(state)))]
  for (const name of ['connect', 'connect6']) {
    guard(tcp, name, 1, tried)
    guard(udp, name, 0, tried)
  }
  // A connected datagram socket sends without an address.
  for (const name of ['send', 'send6']) guard(udp, name, 4, tried)
  server.close()
  socket.close()
}

function guardNames(tried: string[]): void {
  for (const methods of [dns, dns.promises, dns.Resolver.prototype, dns.promises.Resolver.prototype]) {
    const all = methods as unknown as Methods
    const asking = Object.keys(all).concat(Object.getOwnPropertyNames(all))
    for (const name of new Set(asking.filter((each) => /^(lookup|resolve|reverse)/.test(each)))) {
      guard(all, name, 0, tried, () => {
        throw Object.assign(new Error(`${name} would leave the machine`), { code: 'EACCES' })
      })
    }
  }
  // What was imported by name, like `lookup`, is what was just put here.
  syncBuiltinESMExports()
}

function guard(
  methods: Methods,
  name: string,
  addressAt: number,
  tried: string[],
  refuse: () => unknown = () => REFUSED,
): void {
  const method = methods[name]
  if (method === undefined) throw new Error(`Node ${process.version} has no ${name} to guard`)
  methods[name] = function (...args) {
    const address = args[addressAt]
    if (typeof address !== 'string' || isLoopback(address)) return method.apply(this, args)
    tried.push(new Error(`${name} ${address}`).stack ?? name)
    return refuse()
  }
}

function statesOf(value: object): unknown[] {
  return Object.getOwnPropertySymbols(value).map((key) => (value as Record<symbol, unknown>)[key])
}

function handleIn(value: unknown): object | undefined {
  const { handle, _handle } = (value ?? {}) as { handle?: object; _handle?: object }
  return handle ?? _handle
}

/** What all sockets of a kind share. */
function handleOf(value: unknown): Methods {
  const handle = handleIn(value)
  if (handle === undefined) throw new Error(`Node ${process.version} keeps its handles elsewhere`)
  return Object.getPrototypeOf(handle) as Methods
}
