import { BlockList, isIP } from 'node:net'
import { TicketringError } from '../../kernel/errors.ts'

/** One address that a name resolves to. */
export interface Resolved {
  readonly address: string
  readonly family: 4 | 6
}

/** IPv4 that is not for the public: IANA's special-purpose registry (RFC 6890), multicast and reserved. */
const SPECIAL_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
/** The one part of IPv6 that is public: loopback, mapped IPv4, ULA, link-local and multicast are outside it. */
const GLOBAL_V6 = ['2000::/3']
/** Inside that: protocol assignments with Teredo, documentation, and 6to4, which leads to any IPv4 address. */
const SPECIAL_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

/** Which addresses a URL from a certificate may lead to: public ones, and the ranges that the owner lists. */
export class AddressRules {
  readonly #allowed: BlockList
  readonly #special = listOf([...SPECIAL_V4, ...SPECIAL_V6])
  readonly #global = listOf(GLOBAL_V6)

  /** @throws TicketringError `configuration-invalid` for a range that is none. */
  constructor(allow: readonly string[]) {
    this.#allowed = listOf(allow)
  }

  /** @throws TicketringError `address-forbidden`. */
  check(host: string, { address, family }: Resolved): void {
    const inside = family === 6 ? translated(address) : []
    const fits =
      inside.length > 0
        ? inside.every((each) => this.#fits(each, 'ipv4'))
        : this.#fits(address, `ipv${family}`)
    if (fits || this.#allowed.check(address, `ipv${family}`)) return
    throw new TicketringError('address-forbidden', {
      wanted: `${host} at a public address, or in a range that the owner allows`,
      came: address,
      fix: 'If this responder is yours, list its range under "allow"',
    })
  }

  #fits(address: string, kind: 'ipv4' | 'ipv6'): boolean {
    if (this.#allowed.check(address, kind)) return true
    const isPublic = kind === 'ipv4' || this.#global.check(address, kind)
    return isPublic && !this.#special.check(address, kind)
  }

  /** Checks a host that is an address itself: no resolver will be asked about it. */
  checkLiteral(host: string): void {
    const address = host.replace(/^\[(.*)\]$/, '$1')
    const family = isIP(address)
    if (family !== 0) this.check(host, { address, family: family === 4 ? 4 : 6 })
  }
}

/** Prefixes of NAT64, whose addresses lead to an IPv4 one: the well-known (RFC 6052 §2.1) and the local-use (RFC 8215). */
const WELL_KNOWN = listOf(['64:ff9b::/96'])
const LOCAL_USE = listOf(['64:ff9b:1::/48'])
/** Octets that hold the IPv4 address, by the length of the prefix (RFC 6052 §2.2); octet 8 and those after are zero. */
const LAYOUTS = [
  [6, 7, 9, 10],
  [7, 9, 10, 11],
  [9, 10, 11, 12],
  [12, 13, 14, 15],
]

/**
 * IPv4 addresses that an address of NAT64 may lead to; none for any other. How a network cuts up the local-use prefix
 * is its own affair: each reading that fits counts.
 */
function translated(address: string): readonly string[] {
  if (WELL_KNOWN.check(address, 'ipv6')) return [octetsOf(address).slice(12).join('.')]
  if (!LOCAL_USE.check(address, 'ipv6')) return []
  const octets = octetsOf(address)
  const readings = LAYOUTS.filter((layout) => leavesZeros(octets, layout)).map((layout) =>
    layout.map((at) => octets[at]).join('.'),
  )
  const leading = readings.filter((reading) => reading !== '0.0.0.0')
  return leading.length === 0 ? ['0.0.0.0'] : leading
}

function leavesZeros(octets: readonly number[], layout: readonly number[]): boolean {
  const last = layout.at(-1) ?? 0
  return octets.every((octet, at) => octet === 0 || (at !== 8 && at <= last))
}

/** The 16 octets of an IPv6 address, in whatever form it is written. */
function octetsOf(address: string): number[] {
  // The URL parser writes an IPv4 tail as two groups; it knows no zone.
  const { hostname } = new URL(`http://[${address.replace(/%.*$/, '')}]/`)
  const [head = [], tail = []] = hostname
    .slice(1, -1)
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''))
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0')
  return [...head, ...zeros, ...tail].flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits = ''] = range.split('/')
    const family = isIP(address)
    if (family === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128))
      throw new TicketringError('configuration-invalid', {
        wanted: 'a range such as 10.0.0.0/8',
        came: range,
      })
    list.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}
