import { keysOf, type Ring } from '../../lambda/ring/ring.ts'
import type { Kind } from './terminators.ts'

/** Consecutive bytes of an AES or HMAC key that make a leak. */
const LEAK = 16

/** How many places of `haystack` show 16 bytes in a row of a secret field of `rings`: raw, hex or base64. */
export function findKeyBytes(haystack: Buffer, rings: readonly Ring[]): number {
  const fields = rings.flatMap(keysOf).flatMap((key) => [key.reveal().aes, key.reveal().hmac])
  return findFields(haystack, fields)
}

/** The same of secret fields, whatever key they are of. */
export function findFields(haystack: Buffer, fields: readonly Buffer[]): number {
  const texts = { raw: haystack.toString('latin1'), lower: haystack.toString('latin1').toLowerCase() }
  return fields.flatMap(windows).filter((window) => shows(texts, window)).length
}

/** The secret fields in a key file of this kind of server: no names, which are public, and nothing that fills up. */
export function secretFieldsIn(server: Kind, file: Buffer): readonly Buffer[] {
  const keys = keysIn(server, file)
  return keys.flatMap((key) => halvesOf(server === 'h2o' ? key : key.subarray(NAME)))
}

const NAME = 16

function halvesOf(secret: Buffer): readonly Buffer[] {
  return [secret.subarray(0, secret.length / 2), secret.subarray(secret.length / 2)]
}

/** Each key with its name, of H2O the AES and the HMAC key alone. */
function keysIn(server: Kind, file: Buffer): readonly Buffer[] {
  const text = file.toString('latin1')
  const found = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, digits = '']) => digits)
  switch (server) {
    case 'haproxy':
      return found(/^(.+)$/gm).map((digits) => Buffer.from(digits, 'base64'))
    case 'envoy':
      return found(/"inline_bytes": "([^"]+)"/g).map((digits) => Buffer.from(digits, 'base64'))
    case 'h2o':
      return found(/key: ([0-9a-f]{128})0{64}$/gm).map((digits) => Buffer.from(digits, 'hex'))
    case 'lighttpd':
      return [file.subarray(12)]
    case 'trafficserver':
      return slicesOf(file, 48)
    default:
      return slicesOf(file, 80)
  }
}

function slicesOf(file: Buffer, size: number): readonly Buffer[] {
  return Array.from({ length: file.length / size }, (_, at) => file.subarray(at * size, (at + 1) * size))
}

function windows(field: Buffer): Buffer[] {
  return Array.from({ length: field.length - LEAK + 1 }, (_, from) => field.subarray(from, from + LEAK))
}

function shows(texts: { raw: string; lower: string }, window: Buffer): boolean {
  const forms = [window.toString('latin1'), ...[0, 1, 2].map((shift) => base64Within(window, shift))]
  return forms.some((form) => texts.raw.includes(form)) || texts.lower.includes(window.toString('hex'))
}

/** The base64 digits that depend on `bytes` alone where they begin `shift` bytes after a group's start. */
function base64Within(bytes: Buffer, shift: number): string {
  const padded = Buffer.concat([Buffer.alloc(shift), bytes])
  const whole = padded.length - (padded.length % 3)
  return padded
    .subarray(0, whole)
    .toString('base64')
    .slice(Math.ceil((shift * 8) / 6))
}
