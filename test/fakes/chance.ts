import { hash } from 'node:crypto'
import type { Chance } from '../../lambda/fleet/ports.ts'

/** Bytes of SHA-512. */
const BLOCK = 64

/** The blocks of each seed that were ever drawn: the explorer draws the same ones thousands of times. */
const drawnBefore = new Map<string, Buffer[]>()

/** Bytes that look random and are the same in every run. */
export function seededChance(seed: string): Chance {
  let drawn = 0
  const known = drawnBefore.get(seed) ?? []
  drawnBefore.set(seed, known)
  const block = () => {
    const n = drawn++
    known[n] ??= hash('sha512', `${seed}/${n}`, 'buffer')
    return known[n]
  }
  const random = (count: number) => {
    const blocks = Array.from({ length: Math.ceil(count / BLOCK) }, block)
    return Uint8Array.from(Buffer.concat(blocks).subarray(0, count))
  }
  const uuid = () => {
    const hex = block().toString('hex')
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
      '-',
    )
  }
  return { random, uuid }
}
