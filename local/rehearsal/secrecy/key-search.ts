import { type Layout, secretsOf } from '../../../lambda/ring/layouts.ts'
import { keysOf, type Ring } from '../../../lambda/ring/ring.ts'

/** A text or file that was looked through. */
export interface Place {
  /** What it is, such as `log` or `process environment`. */
  readonly kind: string
  /** Where a person finds it again. */
  readonly where: string
  readonly content: Uint8Array
}

/** A place that held key bytes. The bytes themselves are not repeated. */
export interface Finding {
  readonly kind: string
  readonly where: string
}

/** This many consecutive bytes of an AES or HMAC field are a leak; fewer may be chance. */
const WINDOW = 16
/** Between them all that any server is given. */
const LAYOUTS: readonly Layout[] = ['haproxy-80', 'trafficserver-48']
const HEX_RUN = /[0-9a-fA-F]{32,}/g
/** 16 bytes take 22 characters at least; both alphabets of RFC 4648 §4 and §5. */
const BASE64_RUN = /[A-Za-z0-9+/_-]{22,}/g
/** Line breaks inside wrapped hex or base64, plain or as JSON writes them. */
const WRAPPING = /(?:\r?\n|\\r|\\n)+/g

/** Finds bytes of ticket keys, raw, in hex or in base64 at any alignment. It holds key material: memory only. */
export class KeySearch {
  readonly #windows = new Set<string>()
  /** The first two bytes of each window: what lets the search step over nearly every byte. */
  readonly #starts = new Uint8Array(0x10000)

  constructor(rings: Iterable<Ring>) {
    for (const ring of rings) {
      for (const key of keysOf(ring)) {
        for (const layout of LAYOUTS) {
          const { aes, hmac } = secretsOf(key, layout)
          this.#learn(aes)
          this.#learn(hmac)
        }
      }
    }
  }

  /** The places, each once, in which key bytes were found. */
  findings(places: Iterable<Place>): readonly Finding[] {
    const found = new Map<string, Finding>()
    for (const { kind, where, content } of places) {
      const place = `${kind} ${where}`
      if (!found.has(place) && this.isIn(content)) found.set(place, { kind, where })
    }
    return [...found.values()]
  }

  /** Whether `content` holds 16 consecutive bytes of an AES or HMAC field in any of the three writings. */
  isIn(content: Uint8Array): boolean {
    const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
    if (this.#isRawIn(bytes)) return true
    const text = bytes.toString('latin1')
    if (this.#isWrittenIn(text)) return true
    const unwrapped = text.replace(WRAPPING, '')
    return unwrapped.length < text.length && this.#isWrittenIn(unwrapped)
  }

  #learn(field: Buffer): void {
    for (let at = 0; at + WINDOW <= field.length; at += 1) {
      const window = field.subarray(at, at + WINDOW)
      this.#windows.add(window.toString('latin1'))
      this.#starts[window.readUInt16BE(0)] = 1
    }
  }

  #isRawIn(bytes: Buffer): boolean {
    for (let at = 0; at + WINDOW <= bytes.length; at += 1) {
      const start = ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
      if (this.#starts[start] === 0) continue
      if (this.#windows.has(bytes.toString('latin1', at, at + WINDOW))) return true
    }
    return false
  }

  #isWrittenIn(text: string): boolean {
    for (const [run] of text.matchAll(HEX_RUN)) {
      // A run may begin in the middle of a byte.
      if (this.#isRawIn(Buffer.from(run, 'hex')) || this.#isRawIn(Buffer.from(run.slice(1), 'hex')))
        return true
    }
    for (const [run] of text.matchAll(BASE64_RUN)) {
      // A run may begin at any of the four characters of a group: fill the group up from the front.
      for (const filler of ['', 'A', 'AA', 'AAA']) {
        if (this.#isRawIn(Buffer.from(filler + run, 'base64'))) return true
      }
    }
    return false
  }
}
