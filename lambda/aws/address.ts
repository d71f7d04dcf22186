import { BlockList, isIP } from 'node:net'
import { TicketringError } from '../core/errors.ts'

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
/** The one part of IPv6 that is public: loopback, mapped IPv4, NAT64, ULA, link-local and multicast are outside it. */
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
    const kind = family === 4 ? 'ipv4' : 'ipv6'
    if (this.#allowed.check(address, kind)) return
    const isPublic = family === 4 || this.#global.check(address, kind)
    if (isPublic && !this.#special.check(address, kind)) return
    throw new TicketringError('address-forbidden', {
      wanted: `${host} at a public address, or in a range that the owner allows`,
      came: address,
      fix: 'If this responder is yours, list its range under "allow"',
    })
  }

  /** Checks a host that is an address itself: no resolver will be asked about it. */
  checkLiteral(host: string): void {
    const address = host.replace(/^\[(.*)\]$/, '$1')
    const family = isIP(address)
    if (family !== 0) this.check(host, { address, family: family === 4 ? 4 : 6 })
  }
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
