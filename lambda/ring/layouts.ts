import { hkdfSync } from 'node:crypto'
import { TicketringError } from '../kernel/errors.ts'
import { TicketKey } from './ticket-key.ts'

/**
 * How a server wants a key's bytes. A wrong order fails without a word: the key name still matches, the MAC does
 * not, and every resumption silently becomes a full handshake. So each is proved against the real server.
 * Source: haproxy src/cfgparse-ssl.c, nginx src/event/ngx_event_openssl.c, trafficserver iocore/net/SSLCertLookup.cc.
 */
export type Layout = 'haproxy-80' | 'haproxy-48' | 'nginx-80' | 'nginx-48' | 'trafficserver-48'

/** Fields of the 48-byte layouts: AES-128 and a 16-byte HMAC key. */
const SHORT = 16

/** The key's bytes as the server reads them: key material. */
export function toLayout(key: TicketKey, layout: Layout): Buffer {
  const { name } = key.reveal()
  const { aes, hmac } = secretsOf(key, layout)
  const isHmacFirst = layout === 'nginx-80' || layout === 'trafficserver-48'
  return Buffer.concat(isHmacFirst ? [name, hmac, aes] : [name, aes, hmac])
}

/** What a layout has of the key's two secrets: all of each, the first half, or secrets of its own that follow from them. */
export function secretsOf(key: TicketKey, layout: Layout): { readonly aes: Buffer; readonly hmac: Buffer } {
  const { aes, hmac } = key.reveal()
  switch (layout) {
    case 'haproxy-80':
    case 'nginx-80':
      return { aes, hmac }
    case 'haproxy-48':
    case 'nginx-48':
      return { aes: aes.subarray(0, SHORT), hmac: hmac.subarray(0, SHORT) }
    case 'trafficserver-48': {
      // RFC 5869, without salt: what one kind of server holds is no part of what another one holds.
      const material = Buffer.concat([aes, hmac])
      const own = Buffer.from(hkdfSync('sha256', material, '', `ticketring ${layout}`, 2 * SHORT))
      return { hmac: own.subarray(0, SHORT), aes: own.subarray(SHORT) }
    }
  }
}

/**
 * The inverse of {@link toLayout} for the layouts that lose nothing, for adopting a fleet's present keys.
 * @throws TicketringError `key-weak` as {@link TicketKey.from}.
 */
export function fromLayout(bytes: Uint8Array, layout: 'haproxy-80' | 'nginx-80'): TicketKey {
  if (layout === 'haproxy-80' || bytes.length !== 80) return TicketKey.from(bytes)
  return TicketKey.from(
    Buffer.concat([bytes.subarray(0, 16), bytes.subarray(48, 80), bytes.subarray(16, 48)]),
  )
}

/** @throws TicketringError `request-invalid` for a layout that {@link fromLayout} cannot read. */
export function losslessLayout(text: string): 'haproxy-80' | 'nginx-80' {
  if (text === 'haproxy-80' || text === 'nginx-80') return text
  throw new TicketringError('request-invalid', {
    wanted: 'the layout haproxy-80 or nginx-80',
    came: JSON.stringify(text.slice(0, 32)),
    fix: 'A 48-byte key has too little material for the ring: let genesis make new keys',
  })
}
