import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Layout, secretsOf } from '../../../lambda/ring/layouts.ts'
import type { TicketKey } from '../../../lambda/ring/ticket-key.ts'

const NAME = 16
const MAC = 32

/** The key name at the head of a ticket (RFC 5077 §4), 32 hex digits: it stands there in clear. */
export function keyNameOf(ticket: Uint8Array): string {
  return Buffer.from(ticket.subarray(0, NAME)).toString('hex')
}

/** Between them the secrets that any server is given of a key. */
const LAYOUTS: readonly Layout[] = ['haproxy-80', 'trafficserver-48']

/**
 * Whether a ticket's MAC (its last 32 bytes, HMAC-SHA-256 over all before, RFC 5077 §4) verifies under this key. A
 * server that was given the key in another server's byte order shows the right name and fails this.
 */
export function isUnderKey(ticket: Uint8Array, key: TicketKey): boolean {
  if (ticket.length <= NAME + MAC) return false
  return LAYOUTS.some((layout) => {
    const mac = createHmac('sha256', secretsOf(key, layout).hmac).update(ticket.subarray(0, -MAC)).digest()
    return timingSafeEqual(mac, ticket.subarray(-MAC))
  })
}
