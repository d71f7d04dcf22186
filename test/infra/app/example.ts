import { parseConfiguration } from '../../../infra/app/configuration.ts'
import { KEY_SERVERS, STAPLE_SERVERS } from '../../../infra/servers/servers.ts'
import { isRefusal } from '../../../lambda/kernel/errors.ts'

type Json = Readonly<Record<string, unknown>>

export interface ExampleRing {
  readonly name?: string
  readonly targets?: Json
  readonly servers?: Json
  readonly rotation?: Json
  readonly mixedClientAuthentication?: string
  readonly canary?: Json
  readonly accessWatch?: Json
  readonly repairEvery?: string
  readonly endpoints?: Json
  readonly program?: string
  readonly mode?: string
  readonly fleetRoles?: readonly string[]
  readonly launchGroups?: readonly unknown[]
}

/** The kinds of server that this example and cdk.json's name. */
export const EXAMPLE_KINDS = ['haproxy', 'nginx'] as const

export const HAPROXY = {
  keys: '/run/ticketring/edge/haproxy.keys',
  socket: '/run/haproxy/admin.sock',
  owner: 'root',
  verify: [{ address: '127.0.0.1:8444', serverName: 'www.example.com' }],
}

export const NGINX = {
  keys: '/run/ticketring/edge',
  owner: 'root',
  verify: [{ address: '127.0.0.1:8445', serverName: 'www.example.com' }],
}

const othersOf = (servers: object) =>
  Object.keys(servers).filter((kind) => !EXAMPLE_KINDS.some((each) => each === kind))

/** The kinds that the example does not name, each with what it must be told. */
export const OTHER_SERVERS = Object.fromEntries(
  othersOf(KEY_SERVERS).map((kind) => [kind, { ...NGINX, keys: `/run/ticketring/edge/${kind}.keys` }]),
)

/** A sound ring as an owner would write it, with some of it replaced. */
export function exampleRing(replaced: ExampleRing = {}) {
  return {
    name: 'edge',
    targets: { tag: 'ticketring', values: ['edge'], minInstances: 2 },
    servers: { haproxy: HAPROXY, nginx: NGINX },
    fleetRoles: ['terminators'],
    mode: 'enforce',
    rotation: {},
    ...replaced,
  }
}

export interface ExampleSet {
  readonly name?: string
  readonly targets?: Json
  readonly servers?: Json
  readonly certificates?: readonly Json[]
  readonly chainPath?: string
  readonly refresh?: Json
  readonly allow?: readonly string[]
  readonly vpc?: Json
  readonly repairEvery?: string
  readonly endpoints?: Json
  readonly program?: string
  readonly fleetRoles?: readonly string[]
}

export const HAPROXY_STAPLING = {
  certificates: ['/etc/haproxy/certs'],
  socket: '/run/haproxy/admin.sock',
  owner: 'root',
  verify: [{ address: '127.0.0.1:8444', serverName: 'www.example.com' }],
}

export const NGINX_STAPLING = {
  staples: [{ certificate: '/etc/nginx/www.pem', staple: '/run/ticketring/edge.staples/www.ocsp' }],
  owner: 'root',
  verify: [{ address: '127.0.0.1:8445', serverName: 'www.example.com' }],
}

/** The kinds that the example set does not name, each with what it must be told. */
export const OTHER_STAPLING: Readonly<Record<string, Json>> = Object.fromEntries(
  othersOf(STAPLE_SERVERS).map((kind) => [kind, { ...NGINX_STAPLING }]),
)

export const CERTIFICATE = { name: 'www', chain: { parameter: '/ticketring/example/chain' } }

export const VPC = {
  subnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
  securityGroupIds: ['sg-0123456789abcdef0'],
}

/** A sound set of certificates as an owner would write it, with some of it replaced. */
export function exampleSet(replaced: ExampleSet = {}) {
  return {
    name: 'edge',
    targets: { tag: 'ticketring', values: ['edge'], minInstances: 2 },
    servers: { haproxy: HAPROXY_STAPLING, nginx: NGINX_STAPLING },
    certificates: [CERTIFICATE],
    fleetRoles: ['terminators'],
    ...replaced,
  }
}

/** The lines of a configuration's refusal, each `path: wanted …; got …`, the path without its `prefix`. */
export function problemsIn(configuration: unknown, prefix: string): readonly string[] {
  try {
    parseConfiguration(configuration)
    return []
  } catch (error) {
    if (!isRefusal(error, 'configuration-invalid')) throw error
    const [, ...lines] = error.came.split('\n  - ')
    return lines.map((line) => line.replace(prefix, ''))
  }
}

/** The settings that a document's text carries. */
export function settingsIn(lines: readonly string[]): readonly string[] {
  const start = lines.findIndex((line) => line.endsWith('"""\\')) + 1
  return lines.slice(
    start,
    lines.findIndex((line, index) => index >= start && line.startsWith('""", ')),
  )
}
