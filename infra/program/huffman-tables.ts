/** Codes as bzip2 takes them: Huffman's, in up to six tables, of which each group of symbols has the one that serves it best. */

/** Symbols of which each group has one table of codes; tables, and rounds in which they settle on their groups. */
export const GROUP = 50
const TABLES = 6
const ROUNDS = 20
const LONGEST_CODE = 17

export type Lengths = readonly number[]

/** Lengths of codes, in as many tables as pay, and which group has which. */
export function codesFor(
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
        if (selectors[each] === table) for (const symbol of group) counts[symbol] = (counts[symbol] ?? 0) + 1
      })
      return lengthsOf(counts)
    })
    selectors = groups.map((group) => cheapest(tables, group))
  }
  return { tables, selectors }
}

function cheapest(tables: readonly Lengths[], group: readonly number[]): number {
  const costs = tables.map((lengths) => group.reduce((sum, symbol) => sum + (lengths[symbol] ?? 0), 0))
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
    for (const symbol of symbols) lengths[symbol] = (lengths[symbol] ?? 0) + 1
    nodes = [{ weight: first.weight + second.weight, symbols }, ...rest]
  }
  return Math.max(...lengths) <= LONGEST_CODE ? lengths : lengthsOf(counts.map((count) => (count + 1) / 2))
}

/** Codes of these lengths, shorter ones first and those of a length in the order of their symbols. */
export function codesOf(lengths: Lengths): readonly number[] {
  const codes = new Array<number>(lengths.length).fill(0)
  let code = 0
  for (let length = 1; length <= LONGEST_CODE; length += 1, code *= 2)
    lengths.forEach((each, symbol) => {
      if (each === length) codes[symbol] = code++
    })
  return codes
}
