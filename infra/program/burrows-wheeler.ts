/** The last byte of each rotation of the text, in their order (Burrows and Wheeler), and which one is the text itself. */
export function transform(block: Uint8Array): { last: Uint8Array; origin: number } {
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
