import { createHmac, timingSafeEqual } from 'node:crypto'

const NAME = 16
const IV = 16
/** HMAC-SHA-256 (RFC 5077 §4), and the HMAC-SHA-1 of GnuTLS. */
const MACS = [
  { hash: 'sha256', length: 32 },
  { hash: 'sha1', length: 20 },
] as const
const HMAC_KEYS = [16, 20, 32]
/** Where the HMAC key begins: by itself, and in files of 48 and 80 octets of which each part is a part. */
const COUNTED_FROM = [0, 1, 16, 17, 32, 33, 48, 49]

/** Key material that anybody guesses, by what it is called. */
function guesses(): readonly (readonly [string, Buffer])[] {
  return HMAC_KEYS.flatMap((length): (readonly [string, Buffer])[] => [
    ...Array.from(
      { length: 256 },
      (_, octet) =>
        [octet === 0 ? 'all-zero' : `of nothing but ${hex(octet)}`, Buffer.alloc(length, octet)] as const,
    ),
    ...COUNTED_FROM.map(
      (from) => ['that counts', Buffer.from(Array.from({ length }, (_, at) => from + at))] as const,
    ),
  ])
}

/**
 * Whether a ticket's MAC verifies under a key that is no secret. @returns what the key is called.
 * With all 80 octets alike each part is, too; so is a key that a server took from memory that was never filled
 * (CVE-2020-13777).
 */
export function knownKeyOf(ticket: Uint8Array): string | undefined {
  return guesses().find(([, key]) => verifies(ticket, key))?.[0]
}

function verifies(ticket: Uint8Array, key: Buffer): boolean {
  return MACS.some(({ hash, length }) => {
    if (ticket.length <= NAME + IV + length) return false
    const mac = createHmac(hash, key).update(ticket.subarray(0, -length)).digest()
    return timingSafeEqual(mac, ticket.subarray(-length))
  })
}

function hex(octet: number): string {
  return octet.toString(16).padStart(2, '0')
}
