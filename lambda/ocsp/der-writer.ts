import { contextTag, TAG } from './der-element.ts'

/** One tag-length-value over its parts: the inverse of reading an element. */
export function encode(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.of(tag, ...lengthOctets(content.length)), content])
}

export function encodeSequence(...parts: readonly Uint8Array[]): Buffer {
  return encode(TAG.sequence, ...parts)
}

export function encodeOctets(content: Uint8Array): Buffer {
  return encode(TAG.octetString, content)
}

/** `[number] EXPLICIT` around the parts. */
export function encodeExplicit(number: number, ...parts: readonly Uint8Array[]): Buffer {
  return encode(contextTag(number), ...parts)
}

/** The inverse of `dotted`. */
export function encodeOid(oid: string): Buffer {
  const [root = 0, second = 0, ...arcs] = oid.split('.').map(Number)
  return encode(TAG.oid, Buffer.from([root * 40 + second, ...arcs].flatMap(base128)))
}

function base128(arc: number): number[] {
  const octets = [arc % 128]
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
    octets.unshift((rest % 128) | 0x80)
  return octets
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length]
  const octets: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  return [0x80 | octets.length, ...octets]
}
