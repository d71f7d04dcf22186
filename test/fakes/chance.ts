import { createHash } from 'node:crypto'
import type { Chance } from '../../lambda/app/ports.ts'

/** Bytes that look random and are the same in every run. */
export function seededChance(seed: string): Chance {
  let drawn = 0
  const block = () => createHash('sha512').update(`${seed}/${drawn++}`).digest()
  const random = (count: number) => {
    const blocks: Buffer[] = []
    while (Buffer.concat(blocks).length < count) blocks.push(block())
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
