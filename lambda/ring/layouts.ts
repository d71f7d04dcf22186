import { TicketringError } from '../kernel/errors.ts'
import { TicketKey } from './ticket-key.ts'

/**
 * How a server wants a key's bytes. A wrong order fails without a word: the key name still matches, the MAC does
 * not, and every resumption silently becomes a full handshake. So each is proved against the real server.
 * Source: haproxy src/cfgparse-ssl.c, nginx src/event/ngx_event_openssl.c.
 */
export type Layout = 'haproxy-80' | 'haproxy-48' | 'nginx-80' | 'nginx-48'

/** Shortened fields of the 48-byte layouts: AES-128 and a 16-byte HMAC key. */
const SHORT = 16

/** The key's bytes as the server reads them: key material. */
export function toLayout(key: TicketKey, layout: Layout): Buffer {
  const { name, aes, hmac } = key.reveal()
  switch (layout) {
    case 'haproxy-80':
      return Buffer.concat([name, aes, hmac])
    case 'nginx-80':
      return Buffer.concat([name, hmac, aes])
    case 'haproxy-48':
    case 'nginx-48':
      return Buffer.concat([name, aes.subarray(0, SHORT), hmac.subarray(0, SHORT)])
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
