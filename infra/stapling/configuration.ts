import { BlockList, isIP } from 'node:net'
import type { ClientCertificate, VerifyListener } from '../../lambda/ring/server-settings.ts'
import { DELIVERY_FIELDS, type DeliveryConfiguration, readDelivery } from '../fleet/delivery-configuration.ts'
import { durationText, freeze, Inspection, type Section } from '../fleet/inspection.ts'
import {
  readCommand,
  readFleetRoles,
  readOwner,
  readPath,
  readPaths,
  readProof,
  readServersSection,
  readTargets,
  type Targets,
} from '../fleet/machines.ts'
import { readName } from '../fleet/names.ts'
import type { Network } from '../fleet/network-access.ts'
import { type CertificateConfiguration, readCertificate, readChainPath } from './certificate-configuration.ts'

export interface HaproxyStapling {
  /** PEM files, or directories of `*.pem`, as `crt` names them; a file's staple is `<file>.ocsp`. */
  readonly certificates: readonly string[]
  /** Path of the runtime socket, at level admin. */
  readonly socket: string
  /** User of the master process: owns the staples. */
  readonly owner: string
  /** Makes HAProxy forget a withdrawn staple, which its socket cannot: words, no shell. Nothing else reloads it. */
  readonly reload: string
  readonly verify: readonly VerifyListener[]
  readonly client?: ClientCertificate
}

export interface NginxStapling {
  readonly staples: readonly {
    /** PEM file of the certificate. */
    readonly certificate: string
    /** File of `ssl_stapling_file` in the server of that certificate. */
    readonly staple: string
  }[]
  /** Checks the configuration: words, no shell. */
  readonly test: string
  /** Reloads the server: words, no shell. */
  readonly reload: string
  readonly owner: string
  readonly verify: readonly VerifyListener[]
  readonly client?: ClientCertificate
}

/** Which terminators a set's machines run, and where their files are. A machine may override each setting. */
export interface StaplingServers {
  readonly haproxy?: HaproxyStapling
  readonly nginx?: NginxStapling
}

/** When responders are asked. Durations in whole seconds. */
export interface Refresh {
  /** From one look at what is due to the next. */
  readonly every: number
  /** No request sooner than this after a success. */
  readonly least: number
  /** No later than this after a success. */
  readonly most: number
}

/** One set as configured: certificates whose OCSP responses one fleet staples. */
export interface StaplingConfiguration extends DeliveryConfiguration {
  readonly name: string
  readonly targets: Targets
  readonly servers: StaplingServers
  readonly certificates: readonly CertificateConfiguration[]
  /**
   * Path of all chains that are parameters, such as `/tls`: the function may then read whatever is below it. Without
   * it each chain is named in its role, which has room for a hundred or so.
   */
  readonly chainPath?: string
  readonly refresh: Refresh
  /** Ranges that URLs out of certificates may lead to though they are not public, such as `10.0.0.0/8`. */
  readonly allow: readonly string[]
  readonly vpc?: Network
  /** Names of the instance roles that may read the staples. */
  readonly fleetRoles: readonly string[]
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const FIELDS = [
  'name',
  'targets',
  'servers',
  'certificates',
  'chainPath',
  'refresh',
  'allow',
  'vpc',
  ...DELIVERY_FIELDS,
  'fleetRoles',
]

/**
 * Reads one set; what this returns reads as itself again.
 * @throws TicketringError `configuration-invalid` that lists every problem with its path, what was wanted and what came.
 */
export function parseSet(value: unknown): StaplingConfiguration {
  const inspection = new Inspection()
  const set = readSet(inspection, value, 'set')
  inspection.settle('a sound set of certificates')
  return freeze(set)
}

/** Reads one set and notes what is wrong with it. */
export function readSet(inspection: Inspection, value: unknown, path: string): StaplingConfiguration {
  const set = inspection.section(path, value, FIELDS)
  const name = readName(set)
  const targets = readTargets(set)
  const servers = readServers(inspection, readServersSection(set))
  const certificates = set.list(
    'certificates',
    { least: 1, most: Number.POSITIVE_INFINITY, of: 'certificates' },
    (item, at) => readCertificate(inspection, item, at, servers.haproxy !== undefined),
  )
  inspection.refuseRepeated(
    set.at('certificates'),
    certificates.map((certificate) => certificate.name),
  )
  return {
    name,
    targets,
    servers,
    certificates,
    ...readChainPath(set, certificates),
    refresh: readRefresh(inspection, set.section('refresh', ['every', 'least', 'most'], {})),
    allow: set.has('allow') ? readRanges(set) : [],
    ...(set.has('vpc') ? { vpc: readNetwork(set) } : {}),
    ...readDelivery(inspection, set, 'ssm'),
    fleetRoles: readFleetRoles(inspection, set),
  }
}

function readServers(inspection: Inspection, servers: Section): StaplingServers {
  return {
    ...(servers.has('haproxy')
      ? { haproxy: readHaproxy(inspection, servers.section('haproxy', HAPROXY_FIELDS)) }
      : {}),
    ...(servers.has('nginx') ? { nginx: readNginx(inspection, servers.section('nginx', NGINX_FIELDS)) } : {}),
  }
}

const PROVES = 'what is stapled'
const HAPROXY_FIELDS = ['certificates', 'socket', 'owner', 'reload', 'verify', 'client']
/** More go by directories, or by the settings of each machine: the document has 64 KB for everything. */
const MOST_FILES = 100

function readHaproxy(inspection: Inspection, haproxy: Section): HaproxyStapling {
  return {
    certificates: readPaths(haproxy, 'certificates', MOST_FILES),
    socket: readPath(haproxy, 'socket'),
    owner: readOwner(haproxy),
    reload: readCommand(haproxy, 'reload', 'systemctl reload haproxy'),
    ...readProof(inspection, haproxy, PROVES),
  }
}

const NGINX_FIELDS = ['staples', 'test', 'reload', 'owner', 'verify', 'client']

function readNginx(inspection: Inspection, nginx: Section): NginxStapling {
  const size = { least: 1, most: MOST_FILES, of: 'pairs of a certificate file and its staple file' }
  return {
    staples: nginx.list('staples', size, (item, path) => {
      const pair = inspection.section(path, item, ['certificate', 'staple'])
      return { certificate: readPath(pair, 'certificate'), staple: readPath(pair, 'staple') }
    }),
    test: readCommand(nginx, 'test', 'nginx -t'),
    reload: readCommand(nginx, 'reload', 'systemctl reload nginx'),
    owner: readOwner(nginx),
    ...readProof(inspection, nginx, PROVES),
  }
}

function readRefresh(inspection: Inspection, refresh: Section): Refresh {
  const every = refresh.duration('every', 15 * MINUTE)
  const least = refresh.duration('least', HOUR)
  const most = refresh.duration('most', Math.max(24 * HOUR, least))
  const rules: readonly (readonly [boolean, string, string, number])[] = [
    [every < 5 * MINUTE || every > HOUR, 'every', 'from 5m to 1h', every],
    [every % MINUTE > 0, 'every', 'whole minutes', every],
    [most < least, 'most', 'no less than least', most],
  ]
  for (const [broken, name, wanted, seconds] of rules) {
    if (broken) inspection.note(refresh.at(name), wanted, durationText(seconds))
  }
  return { every, least, most }
}

function readRanges(set: Section): readonly string[] {
  const of =
    'ranges of addresses such as 10.0.0.0/8 or fd12:3456:789a::/48, with no address in them that gives credentials (169.254.169.254, fd00:ec2::254 and their like)'
  return set.texts('allow', (text) => isRange(text) && !METADATA.some((each) => covers(text, each)), {
    least: 0,
    most: 50,
    of,
  })
}

/**
 * Where instance, container and pod get their credentials from, and what leads there through IPv6: mapped, by NAT64
 * (RFC 6052, RFC 8215) and by 6to4. Who may write a certificate's URL, or answer for a name, may not ask these.
 */
const METADATA = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  'fd00:ec2::254',
  'fd00:ec2::23',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b:1::a9fe:a9fe',
  '2002:a9fe:a9fe::',
] as const

function covers(range: string, address: string): boolean {
  const [base = '', bits = ''] = range.split('/')
  const list = new BlockList()
  list.addSubnet(base, Number(bits), isIP(base) === 4 ? 'ipv4' : 'ipv6')
  const mapped = isIP(address) === 4 ? `::ffff:${address}` : address
  return list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6') || list.check(mapped, 'ipv6')
}

function isRange(text: string): boolean {
  const [, address = '', bits = ''] = /^([0-9a-fA-F:.]+)\/(0|[1-9]\d{0,2})$/.exec(text) ?? []
  const family = isIP(address)
  return family !== 0 && Number(bits) <= (family === 4 ? 32 : 128)
}

function readNetwork(set: Section): Network {
  const vpc = set.section('vpc', ['subnetIds', 'securityGroupIds'])
  return {
    subnetIds: vpc.texts('subnetIds', /^subnet-[0-9a-f]{8,17}$/, {
      least: 1,
      most: 16,
      of: 'ids of subnets',
    }),
    securityGroupIds: vpc.texts('securityGroupIds', /^sg-[0-9a-f]{8,17}$/, {
      least: 1,
      most: 5,
      of: 'ids of security groups',
    }),
  }
}
