import { BlockList, isIP } from 'node:net'
import { target } from '../../lambda/fleet/configuration.ts'
import {
  list,
  object,
  optional,
  orEmpty,
  refuseNamesakes,
  setting,
  text,
  type Values,
} from '../../lambda/kernel/settings.ts'
import { refresh } from '../../lambda/staples/configuration.ts'
import { deliverySettings, refuseRepair, systemsManagerEndpoint } from '../fleet/delivery-configuration.ts'
import { readWhole } from '../fleet/inspection.ts'
import {
  command,
  fleetRoles,
  NGINX_COMMANDS,
  path,
  paths,
  proofSettings,
  refuseNone,
} from '../fleet/machines.ts'
import { NAME } from '../fleet/names.ts'
import { network } from '../fleet/network-access.ts'
import { certificate, chainPath, refuseChains, refuseHashes } from './certificate-configuration.ts'

const PROVES = 'what is stapled'
/** More go by directories, or by the settings of each machine: the document has 64 KB for everything. */
const MOST_FILES = 100

const HAPROXY = {
  certificates: setting(paths(MOST_FILES), {
    says: 'PEM files, or directories of `*.pem`, as `crt` names them; of a bundle, `*.pem.rsa` and the like; the staple of a file is `<file>.ocsp`',
    machine: 'HAPROXY_CERTS',
  }),
  socket: setting(path, { says: 'runtime socket of HAProxy, at level admin', machine: 'HAPROXY_SOCKET' }),
  reload: setting(command, {
    says: 'what makes HAProxy forget a withdrawn staple and, before 3.5, take a fresh one; rings never reload it',
    normal: 'systemctl reload haproxy',
    machine: 'HAPROXY_RELOAD',
  }),
  ...proofSettings('HAPROXY', PROVES),
}

const pairs = list(
  object({ certificate: setting(path), staple: setting(path) }),
  { least: 1, most: MOST_FILES, of: 'pairs of a certificate file and its staple file' },
  { text: (all) => all.map(({ certificate: file, staple }) => `${file}=${staple}`).join(' ') },
)
const NGINX = {
  staples: setting(pairs, {
    says: 'pairs of the files `certificate`, in PEM, and `staple`, that of `ssl_stapling_file` in its server',
    machine: 'NGINX_STAPLES',
  }),
  ...NGINX_COMMANDS,
  ...proofSettings('NGINX', PROVES),
}

/** Which terminators a set's machines run, and where their files are. A machine may override each setting. */
const SERVERS = { haproxy: optional(object(HAPROXY)), nginx: optional(object(NGINX)) }
export type StaplingServers = Values<typeof SERVERS>

const RANGES =
  'ranges of addresses such as 10.0.0.0/8 or fd12:3456:789a::/48, with no address in them that gives credentials (169.254.169.254, fd00:ec2::254 and their like)'
const range = text((value) => isRange(value) && !METADATA.some((each) => covers(value, each)), RANGES)

/** One set: certificates whose OCSP responses one fleet staples. */
export const SET = {
  name: setting(NAME),
  targets: setting(target),
  servers: setting(object(SERVERS, refuseNone)),
  certificates: setting(list(certificate, { least: 1, of: 'certificates' }, { check: refuseNamesakes })),
  chainPath: optional(chainPath, {
    says: 'path above all chains that are parameters, such as `/tls`: the function may then read whatever is below it. Needed from about a hundred on',
  }),
  refresh: setting(orEmpty(refresh)),
  allow: setting(list(range, { least: 0, most: 50, of: RANGES }), {
    says: 'private ranges that a responder may live in: every other private, loopback or metadata address is refused, and synth refuses a range that holds a metadata address',
    normal: [],
  }),
  vpc: optional(network, {
    says: '`subnetIds` and `securityGroupIds`, where responders live in your network',
  }),
  ...deliverySettings(systemsManagerEndpoint),
  fleetRoles: setting(fleetRoles, { normal: [] }),
}
export type StaplingConfiguration = Values<typeof SET>

export const set = object(SET, (values, place) => {
  const { certificates, servers } = values
  if (servers.haproxy !== undefined) refuseHashes(certificates, place.at('certificates'))
  refuseChains(values, place)
  refuseRepair(values, place)
})

/**
 * Reads one set; what this returns reads as itself again.
 * @throws TicketringError `configuration-invalid` that lists every problem with its path, what was wanted and what came.
 */
export function parseSet(value: unknown): StaplingConfiguration {
  return readWhole(value, { path: 'set', what: 'a sound set of certificates', kind: set })
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
