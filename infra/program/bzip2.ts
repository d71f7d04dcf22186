/**
 * Packs bytes as bzip2 does, which packs text better than LZMA does: one block, sorted, moved to front, in Huffman codes.
 * Source: the format as bzip2 1.0.8 reads it (decompress.c, huffman.c); there is no standard.
 */

import { transform } from './burrows-wheeler.ts'
import { Bits } from './bzip2-bits.ts'
import { codesFor, codesOf, GROUP, type Lengths } from './huffman-tables.ts'

/** Of 100,000 bytes each: what a machine sets aside to unpack is some five times that. */
const SIZE = 2
const MOST_BYTES = SIZE * 100_000 - 19
const [RUN_A, RUN_B] = [0, 1]

/** @throws RangeError for more than fits in one block. */
export function bzip2(bytes: Uint8Array): Uint8Array {
  const block = withRuns(bytes)
  if (block.length === 0 || block.length > MOST_BYTES)
    throw new RangeError(`${block.length} bytes for one block`)
  const { last, origin } = transform(block)
  const used = [...new Set(last)].sort((a, b) => a - b)
  const symbols = symbolsOf(last, used)
  const { tables, selectors } = codesFor(symbols, used.length + 2)
  const crc = crcOf(bytes)
  const bits = new Bits()
  for (const char of `BZh${SIZE}`) bits.write(8, char.charCodeAt(0))
  writeMark(bits, 0x314159, 0x265359, crc)
  // Not randomised; where the text begins among the sorted ones.
  bits.write(1, 0)
  bits.write(24, origin)
  writeUsed(bits, new Set(used))
  writeTables(bits, tables, selectors)
  const codes = tables.map(codesOf)
  symbols.forEach((symbol, at) => {
    const table = selectors[Math.floor(at / GROUP)] ?? 0
    bits.write(tables[table]?.[symbol] ?? 0, codes[table]?.[symbol] ?? 0)
  })
  writeMark(bits, 0x177245, 0x385090, crc)
  return bits.end()
}

/** Four equal bytes are followed by how many more there are. */
function withRuns(bytes: Uint8Array): Uint8Array {
  const found: number[] = []
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] ?? 0
    let end = at
    while (end < bytes.length && end - at < 255 && bytes[end] === byte) end += 1
    const length = end - at
    for (let each = 0; each < Math.min(length, 4); each += 1) found.push(byte)
    if (length >= 4) found.push(length - 4)
    at = end
  }
  return Uint8Array.from(found)
}

/** How far in front each byte was seen last; none in front as the digits of how often, in a base of two whose digits are 1 and 2. */
function symbolsOf(last: Uint8Array, used: readonly number[]): readonly number[] {
  const front = [...used]
  const symbols: number[] = []
  let zeros = 0
  const writeZeros = () => {
    for (; zeros > 0; zeros = (zeros - 1) >> 1) symbols.push(zeros % 2 === 1 ? RUN_A : RUN_B)
  }
  for (const byte of last) {
    const place = front.indexOf(byte)
    if (place === 0) {
      zeros += 1
      continue
    }
    writeZeros()
    symbols.push(place + 1)
    front.splice(place, 1)
    front.unshift(byte)
  }
  writeZeros()
  return [...symbols, used.length + 1]
}

/** Which of sixteen sixteens of bytes there are, and which of those. */
function writeUsed(bits: Bits, used: ReadonlySet<number>): void {
  const sixteen = Array.from({ length: 16 }, (_, each) => each)
  const rows = sixteen.map((row) => sixteen.map((column) => used.has(row * 16 + column)))
  for (const row of rows) bits.write(1, Number(row.includes(true)))
  for (const row of rows.filter((each) => each.includes(true)))
    for (const has of row) bits.write(1, Number(has))
}

/** A group's table as how far in front it was used last; a length as steps from the one before. */
function writeTables(bits: Bits, tables: readonly Lengths[], selectors: readonly number[]): void {
  bits.write(3, tables.length)
  bits.write(15, selectors.length)
  const front = tables.map((_, table) => table)
  for (const table of selectors) {
    const place = front.indexOf(table)
    for (let each = 0; each < place; each += 1) bits.write(1, 1)
    bits.write(1, 0)
    front.splice(place, 1)
    front.unshift(table)
  }
  for (const lengths of tables) {
    let [length = 0] = lengths
    bits.write(5, length)
    for (const wanted of lengths) {
      for (; length < wanted; length += 1) bits.write(2, 0b10)
      for (; length > wanted; length -= 1) bits.write(2, 0b11)
      bits.write(1, 0)
    }
  }
}

function writeMark(bits: Bits, head: number, tail: number, crc: number): void {
  bits.write(24, head)
  bits.write(24, tail)
  bits.write(16, crc >>> 16)
  bits.write(16, crc & 0xffff)
}

/** CRC-32 of the polynomial 04C11DB7, the highest bit first. */
function crcOf(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte << 24
    for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ (crc & 0x80000000 ? 0x04c11db7 : 0)
  }
  return ~crc >>> 0
}
