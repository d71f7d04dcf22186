/**
 * Does `work` for every item, at most `hands` at a time, in order of the list.
 * @returns results in that order. Throws what the first failing work threw, once nothing is under way any more.
 */
export async function mapConcurrently<T, R>(
  items: readonly T[],
  hands: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  const queue = items.entries()
  const hand = async () => {
    for (const [index, item] of queue) results[index] = await work(item)
  }
  const ended = await Promise.allSettled(Array.from({ length: Math.min(hands, items.length) }, hand))
  const failed = ended.find((each) => each.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return results
}
