/**
 * The known name that a person who wrote `name` most likely meant: the nearest, of several the first. Undefined where
 * more than a third of it would have to change, or more than one letter of a short one.
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let [nearest, least]: [string | undefined, number] = [undefined, Number.POSITIVE_INFINITY]
  for (const each of known) {
    const bound = Math.max(1, Math.floor(each.length / 3))
    if (Math.abs(each.length - name.length) > bound) continue
    const distance = editsBetween(name.toLowerCase(), each.toLowerCase())
    if (distance <= bound && distance < least) [nearest, least] = [each, distance]
  }
  return nearest
}

/** Letters put in, left out, replaced or swapped with their neighbour (optimal string alignment), row by row. */
function editsBetween(one: string, other: string): number {
  let [beforeLast, last]: [readonly number[], readonly number[]] = [[], [...Array(other.length + 1).keys()]]
  for (let i = 1; i <= one.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= other.length; j += 1) {
      const replaced = at(last, j - 1) + (one[i - 1] === other[j - 1] ? 0 : 1)
      const isSwap = one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]
      const swapped = isSwap ? at(beforeLast, j - 2) + 1 : replaced
      row.push(Math.min(at(last, j) + 1, at(row, j - 1) + 1, replaced, swapped))
    }
    beforeLast = last
    last = row
  }
  return at(last, other.length)
}

const at = (row: readonly number[], index: number): number => row[index] ?? Number.POSITIVE_INFINITY
