import { TicketringError } from '../kernel/errors.ts'

/** Draws `count` random bytes from a cryptographic source. */
export type RandomBytes = (count: number) => Uint8Array

/** Bytes of a whole key: name 16, AES-256 key 32, HMAC-SHA-256 key 32 (HAProxy's own 80-byte layout). */
const KEY_LENGTH = 80
const NAME = { from: 0, to: 16 }
const AES = { from: 16, to: 48 }
const HMAC = { from: 48, to: 80 }

/**
 * A session-ticket key (RFC 5077 §4). It redacts itself: printed, logged or serialised it shows the key
 * name, which stands in clear at the head of every ticket, and nothing else.
 */
export class TicketKey {
  readonly #bytes: Uint8Array
  /** The key name, 32 hex digits: public. */
  readonly name: string

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.name = Buffer.from(bytes.subarray(NAME.from, NAME.to)).toString('hex')
  }

  /** @throws TicketringError `key-weak` unless these are 80 bytes with three fields that look random. */
  static from(bytes: Uint8Array): TicketKey {
    if (bytes.length !== KEY_LENGTH) {
      throw new TicketringError('key-weak', {
        wanted: `a key of ${KEY_LENGTH} bytes`,
        came: `${bytes.length} bytes`,
      })
    }
    refuseConstant(bytes)
    return new TicketKey(Uint8Array.from(bytes))
  }

  static draw(random: RandomBytes): TicketKey {
    return TicketKey.from(random(KEY_LENGTH))
  }

  /** @throws TicketringError `key-weak` unless `text` is the canonical base64 of a sound key. */
  static parse(text: string): TicketKey {
    const bytes = Buffer.from(text, 'base64')
    if (bytes.toString('base64') !== text) {
      throw new TicketringError('key-weak', {
        wanted: `a key in base64 of ${KEY_LENGTH} bytes`,
        came: `${text.length} characters that are not canonical base64`,
      })
    }
    return TicketKey.from(bytes)
  }

  /** The inverse of {@link TicketKey.parse}: key material, for the secret's value alone. */
  serialise(): string {
    return Buffer.from(this.#bytes).toString('base64')
  }

  /** The three fields as copies: key material. */
  reveal(): { readonly name: Buffer; readonly aes: Buffer; readonly hmac: Buffer } {
    const field = ({ from, to }: { from: number; to: number }) => Buffer.from(this.#bytes.slice(from, to))
    return { name: field(NAME), aes: field(AES), hmac: field(HMAC) }
  }

  /** Whether the two share a name, an AES key or an HMAC key. */
  overlaps(other: TicketKey): boolean {
    const [mine, theirs] = [this.reveal(), other.reveal()]
    return mine.name.equals(theirs.name) || mine.aes.equals(theirs.aes) || mine.hmac.equals(theirs.hmac)
  }

  toString(): string {
    return `TicketKey(${this.name})`
  }

  toJSON(): string {
    return this.toString()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

/** HAProxy and nginx take an all-zero key without a word, so nothing after us would notice one. */
function refuseConstant(bytes: Uint8Array): void {
  for (const [field, { from, to }] of Object.entries({ name: NAME, AES: AES, HMAC: HMAC })) {
    const part = bytes.subarray(from, to)
    if (part.every((byte) => byte === part[0])) {
      throw new TicketringError('key-weak', {
        wanted: 'a key of random bytes',
        came: `a key whose ${field} field repeats one byte`,
      })
    }
  }
}
