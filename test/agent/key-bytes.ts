import { keysOf, type Ring } from '../../lambda/ring/ring.ts'

/** Consecutive bytes of an AES or HMAC key that make a leak. */
const LEAK = 16

/** How many places of `haystack` show 16 bytes in a row of a secret field of `rings`: raw, hex or base64. */
export function findKeyBytes(haystack: Buffer, rings: readonly Ring[]): number {
  const texts = { raw: haystack.toString('latin1'), lower: haystack.toString('latin1').toLowerCase() }
  return rings
    .flatMap(keysOf)
    .flatMap((key) => [key.reveal().aes, key.reveal().hmac])
    .flatMap(windows)
    .filter((window) => shows(texts, window)).length
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
