/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = sorted.length / 2
  const [low = Number.NaN, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return (low + high) / 2
}

/** How long the work took, in ms. */
export async function timed(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** Takes the time of each of `runs` runs, one after the other. */
export async function timedRuns(runs: number, work: (run: number) => unknown): Promise<number[]> {
  const times: number[] = []
  for (let run = 0; run < runs; run += 1) times.push(await timed(() => work(run)))
  return times
}

export function inMilliseconds(milliseconds: number): string {
  if (milliseconds >= 10_000) return `${(milliseconds / 1000).toFixed(1)} s`
  return `${milliseconds < 10 ? milliseconds.toFixed(2) : milliseconds.toFixed(0)} ms`
}

/** How many times `one` is `other`, such as "12 x". */
export function times(one: number, other: number): string {
  const ratio = one / other
  if (ratio >= 10) return `${Math.round(ratio).toLocaleString('en')} x`
  return `${ratio.toFixed(ratio < 1 ? 2 : 1)} x`
}

export function inKilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(0)} kB`
}
