// Keeps the tests on loopback: this process, and each Node process below it that inherits its environment or is a function
// of the loopback AWS. Other programs that tests start (the machines' program, openssl, curl, the AWS CLI, servers) are not
// kept: they are told addresses of loopback, and a network namespace, which would keep them, is not to be had everywhere.
import { createSocket } from 'node:dgram'
import dns from 'node:dns'
import { once } from 'node:events'
import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { BlockList, createServer, isIP } from 'node:net'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'

const REFUSED = -constants.errno.EACCES
const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** @param {string} address */
export function isLoopback(address) {
  const family = isIP(address)
  // An IPv6 address that holds an IPv4 one is judged by that.
  return family === 0 ? address === 'localhost' : loopback.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

/** Where processes below this one write what they tried. */
const ofChildren = join(tmpdir(), `ticketring-tried-to-leave-${process.pid}`)
// Test files that share a process share its guard.
const shared = globalThis

/** From now on nothing that this process does leaves the machine: what would is refused, as by a firewall. */
export async function stayOnLoopback() {
  if (shared.triedToLeave !== undefined) return
  shared.triedToLeave = []
  const below = new URL(import.meta.url)
  below.searchParams.set('log', ofChildren)
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import ${below.href}`.trim()
  await guardAll((text) => shared.triedToLeave.push(text))
}

/** @throws if anything was tried since it was last asked, whatever became of the refusal. */
export function insistOnLoopback() {
  const tried = shared.triedToLeave?.splice(0) ?? []
  if (existsSync(ofChildren)) {
    tried.push(readFileSync(ofChildren, 'utf8'))
    rmSync(ofChildren)
  }
  if (tried.length > 0)
    throw new Error(`a test connects to loopback only, but this was asked for: ${tried.join('\n')}`)
}

/** @param {(text: string) => void} note is told what was refused. */
async function guardAll(note) {
  await guardSockets(note)
  guardNames(note)
}

/** Below every socket of Node: `net`, `tls`, `http`, `fetch` and the SDK all end here, whatever resolved the name. */
async function guardSockets(note) {
  const server = createServer().listen(0, '127.0.0.1')
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await Promise.all([once(server, 'listening'), once(socket, 'listening')])
  const [tcp, udp] = [handleOf(server), handleOf(statesOf(socket).find((state) => handleIn(state)))]
  for (const name of ['connect', 'connect6']) {
    guard(tcp, name, 1, note)
    guard(udp, name, 0, note)
  }
  // A connected datagram socket sends without an address.
  for (const name of ['send', 'send6']) guard(udp, name, 4, note)
  server.close()
  socket.close()
}

function guardNames(note) {
  for (const methods of [dns, dns.promises, dns.Resolver.prototype, dns.promises.Resolver.prototype]) {
    const asking = Object.keys(methods).concat(Object.getOwnPropertyNames(methods))
    for (const name of new Set(asking.filter((each) => /^(lookup|resolve|reverse)/.test(each)))) {
      guard(methods, name, 0, note, () => {
        throw Object.assign(new Error(`${name} would leave the machine`), { code: 'EACCES' })
      })
    }
  }
  // What was imported by name, like `lookup`, is what was just put here.
  syncBuiltinESMExports()
}

function guard(methods, name, addressAt, note, refuse = () => REFUSED) {
  const method = methods[name]
  if (method === undefined) throw new Error(`Node ${process.version} has no ${name} to guard`)
  methods[name] = function (...args) {
    const address = args[addressAt]
    if (typeof address !== 'string' || isLoopback(address)) return method.apply(this, args)
    note(new Error(`${name} ${address}`).stack ?? name)
    return refuse()
  }
}

function statesOf(value) {
  return Object.getOwnPropertySymbols(value).map((key) => value[key])
}

function handleIn(value) {
  const { handle, _handle } = value ?? {}
  return handle ?? _handle
}

/** What all sockets of a kind share. */
function handleOf(value) {
  const handle = handleIn(value)
  if (handle === undefined) throw new Error(`Node ${process.version} keeps its handles elsewhere`)
  return Object.getPrototypeOf(handle)
}

// In a process below a test's: it was imported by NODE_OPTIONS.
const log = new URL(import.meta.url).searchParams.get('log')
if (log !== null) await guardAll((text) => appendFileSync(log, `process ${process.pid}: ${text}\n`))
