import { BlockList, isIP } from 'node:net'
import { target } from '../../lambda/fleet/configuration.ts'
import { list, text } from '../../lambda/kernel/kinds.ts'
import {
  object,
  optional,
  orEmpty,
  refuseNamesakes,
  setting,
  type Values,
} from '../../lambda/kernel/settings.ts'
import { refresh } from '../../lambda/staples/configuration.ts'
import { deliverySettings, refuseRepair, setEndpoints } from '../fleet/delivery-configuration.ts'
import { readWhole } from '../fleet/inspection.ts'
import { fleetRoles } from '../fleet/machines.ts'
import { NAME } from '../fleet/names.ts'
import { network } from '../fleet/network-access.ts'
import { stapleServers } from '../servers/servers.ts'
import { certificate, chainPath, refuseChains, refuseHashes } from './certificate-configuration.ts'

const RANGES =
  'ranges of addresses such as 10.0.0.0/8 or fd12:3456:789a::/48, with no address in them that gives credentials (169.254.169.254, fd00:ec2::254 and their like)'
const range = text((value) => isRange(value) && !METADATA.some((each) => covers(value, each)), RANGES)

/** One set: certificates whose OCSP responses one fleet staples. */
export const SET = {
  name: setting(NAME),
  targets: setting(target),
  servers: setting(stapleServers),
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
  ...deliverySettings(setEndpoints),
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
