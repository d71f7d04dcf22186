import type { Findings, Spot } from '../findings.ts'

interface Known {
  readonly kept: ReadonlyMap<string, number>
  readonly left: ReadonlyMap<string, number>
}

/** Reads what follows some options: the words after the option itself. @returns how many of them it took. */
export type Reader = (option: string, rest: readonly string[]) => number | undefined

/**
 * Goes through options in words, each with as many words as it takes.
 * @param own reads those that are more than kept or left out; undefined for all others.
 * @returns those that are kept, with their words.
 */
export function readOptions(
  words: readonly string[],
  known: Known,
  { spot, findings, what }: { readonly spot: Spot; readonly findings: Findings; readonly what: string },
  own: Reader = () => undefined,
): readonly string[] {
  const kept: string[] = []
  for (let at = 0; at < words.length; ) {
    const option = words[at] as string
    const rest = words.slice(at + 1)
    const taken = own(option, rest)
    const count = taken ?? known.kept.get(option) ?? known.left.get(option)
    if (count === undefined) {
      findings.refuse(spot, `${what} ${option} is not known to do no harm`)
      return kept
    }
    if (rest.length < count) {
      findings.refuse(spot, `${what} ${option} lacks its value`, 'complete it')
      return kept
    }
    if (taken === undefined && known.kept.has(option)) kept.push(option, ...rest.slice(0, count))
    if (taken === undefined && known.left.has(option)) findings.leaveOut(spot, `${what} ${option}`)
    at += 1 + count
  }
  return kept
}
