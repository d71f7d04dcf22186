/**
 * Packs bytes as bzip2 does, which packs text better than LZMA does: one block, sorted, moved to front, in Huffman codes.
 * Source: the format as bzip2 1.0.8 reads it (decompress.c, huffman.c); there is no standard.
 */

/** Of 100,000 bytes each: what a machine sets aside to unpack is some five times that. */
const SIZE = 2
const MOST_BYTES = SIZE * 100_000 - 19
/** Symbols of which each group has one table of codes; tables, and rounds in which they settle on their groups. */
const GROUP = 50
const TABLES = 6
const ROUNDS = 20
const LONGEST_CODE = 17
const [RUN_A, RUN_B] = [0, 1]

/** @throws RangeError for more than fits in one block. */
export function bzip2(bytes: Uint8Array): Uint8Array {
  const block = withRuns(bytes)
  if (block.length === 0 || block.length > MOST_BYTES)
    throw new RangeError(`${block.length} bytes for one block`)
  const { last, origin } = sorted(block)
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

/** The last byte of each rotation of the text, in their order (Burrows and Wheeler), and which one is the text itself. */
function sorted(block: Uint8Array): { last: Uint8Array; origin: number } {
  const size = block.length
  // More than any rank; the first ones are bytes.
  const base = Math.max(size, 256)
  let rank: ArrayLike<number> = block
  let order = new Float64Array(size)
  // Each round compares twice as much, by what the round before has told of both halves.
  for (let width = 1, ranks = 0; ranks < size && width < size * 2; width *= 2) {
    const halves = (start: number) => at(rank, start) * base + at(rank, (start + width) % size)
    // Rank, rank and place in one number below 2^53: numbers alone are sorted without a call for each two.
    order = Float64Array.from(order, (_, start) => halves(start) * size + start)
      .sort()
      .map((key) => key % size)
    const next = new Int32Array(size)
    ranks = 1
    for (let each = 1; each < size; each += 1) {
      if (halves(at(order, each - 1)) !== halves(at(order, each))) ranks += 1
      next[at(order, each)] = ranks - 1
    }
    rank = next
  }
  return {
    last: Uint8Array.from(order, (start) => at(block, (start + size - 1) % size)),
    origin: order.indexOf(0),
  }
}

function at(numbers: ArrayLike<number>, index: number): number {
  return numbers[index] as number
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

type Lengths = readonly number[]

/** Lengths of codes, in as many tables as pay, and which group has which. */
function codesFor(
  symbols: readonly number[],
  kinds: number,
): { tables: readonly Lengths[]; selectors: readonly number[] } {
  const groups = Array.from({ length: Math.ceil(symbols.length / GROUP) }, (_, group) =>
    symbols.slice(group * GROUP, (group + 1) * GROUP),
  )
  let selectors = groups.map((_, group) => Math.floor((group * TABLES) / groups.length))
  let tables: readonly Lengths[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    tables = Array.from({ length: TABLES }, (_, table) => {
      const counts = new Array<number>(kinds).fill(0)
      groups.forEach((group, each) => {
        if (selectors[each] === table) for (const symbol of group) counts[symbol] = at(counts, symbol) + 1
      })
      return lengthsOf(counts)
    })
    selectors = groups.map((group) => cheapest(tables, group))
  }
  return { tables, selectors }
}

function cheapest(tables: readonly Lengths[], group: readonly number[]): number {
  const costs = tables.map((lengths) => group.reduce((sum, symbol) => sum + at(lengths, symbol), 0))
  return costs.indexOf(Math.min(...costs))
}

interface Node {
  readonly weight: number
  readonly symbols: readonly number[]
}

/** Huffman's lengths; where one is too long, of counts that lie closer together. Each symbol gets one, counted or not. */
function lengthsOf(counts: readonly number[]): Lengths {
  const lengths = new Array<number>(counts.length).fill(0)
  let nodes: Node[] = counts.map((count, symbol) => ({ weight: count || 0.01, symbols: [symbol] }))
  while (nodes.length > 1) {
    nodes = nodes.sort((a, b) => a.weight - b.weight)
    const [first, second, ...rest] = nodes as [Node, Node, ...Node[]]
    const symbols = [...first.symbols, ...second.symbols]
    for (const symbol of symbols) lengths[symbol] = at(lengths, symbol) + 1
    nodes = [{ weight: first.weight + second.weight, symbols }, ...rest]
  }
  return Math.max(...lengths) <= LONGEST_CODE ? lengths : lengthsOf(counts.map((count) => (count + 1) / 2))
}

/** Codes of these lengths, shorter ones first and those of a length in the order of their symbols. */
function codesOf(lengths: Lengths): readonly number[] {
  const codes = new Array<number>(lengths.length).fill(0)
  let code = 0
  for (let length = 1; length <= LONGEST_CODE; length += 1, code *= 2)
    lengths.forEach((each, symbol) => {
      if (each === length) codes[symbol] = code++
    })
  return codes
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
    let length = at(lengths, 0)
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

/** Bits, the highest first. */
class Bits {
  readonly #bytes: number[] = []
  #rest = 0
  #count = 0

  write(count: number, value: number): void {
    for (let bit = count - 1; bit >= 0; bit -= 1) {
      this.#rest = this.#rest * 2 + ((value >>> bit) & 1)
      this.#count += 1
      if (this.#count === 8) this.#flush()
    }
  }

  end(): Uint8Array {
    while (this.#count > 0) this.write(1, 0)
    return Uint8Array.from(this.#bytes)
  }

  #flush(): void {
    this.#bytes.push(this.#rest)
    this.#rest = 0
    this.#count = 0
  }
}
