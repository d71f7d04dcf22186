import { UsageError } from '../usage-error.ts'

/** A listener under one name: what a client connects to. */
export interface Endpoint {
  /** A name or an address. */
  readonly host: string
  readonly port: number
  /** What the client sends as server_name (RFC 6066 §3); empty where it sends none. */
  readonly serverName: string
}

const LONGEST_NAME = 253
const NAME = /^(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?$/
const ADDRESS = /^(?:\d{1,3}\.){3}\d{1,3}$/

/**
 * `host:port` or `[IPv6]:port`, under each of the names.
 * @throws UsageError naming what came.
 */
export function endpointsOf(words: readonly string[], names: readonly string[]): readonly Endpoint[] {
  for (const name of names) requireName(name, '--servername')
  return [...new Set(words)].flatMap((word) => {
    const { host, port } = addressOf(word)
    const own = isAddress(host) ? '' : host
    return (names.length > 0 ? [...new Set(names)] : [own]).map((serverName) => ({ host, port, serverName }))
  })
}

/** `host:port`, and `=name` where that is not the host itself. */
export function textOf({ host, port, serverName }: Endpoint): string {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  return serverName === '' || serverName === host ? address : `${address}=${serverName}`
}

function addressOf(word: string): { readonly host: string; readonly port: number } {
  const [, six, plain, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(word) ?? []
  const host = six ?? plain
  const port = Number(digits)
  if (host === undefined || !(port >= 1 && port <= 65_535)) throw notAnAddress(word)
  if (six === undefined) requireName(host, 'HOST:PORT')
  return { host, port }
}

function isAddress(host: string): boolean {
  return host.includes(':') || ADDRESS.test(host)
}

function requireName(name: string, what: string): void {
  if (name.length <= LONGEST_NAME && NAME.test(name)) return
  throw new UsageError(`${what} wants the name of a host, not ${JSON.stringify(name.slice(0, 64))}`)
}

function notAnAddress(word: string): UsageError {
  const example = 'such as 192.0.2.7:443, [2001:db8::7]:443 or edge.example.com:443'
  return new UsageError(`HOST:PORT is wanted, ${example}, not ${JSON.stringify(word.slice(0, 64))}`)
}
