import type { Progress } from '../local/rehearsal/progress.ts'
import type { Scope } from '../local/scope.ts'
import type { Row } from './table.ts'

/** One thing that is measured; nothing in it is asserted. */
export interface Measurement {
  /** What `--only` asks for. */
  readonly name: string
  /** In a few words, for `--help`. */
  readonly about: string
  /** What it is done with (the SDK, real servers) takes long to load: it is when it is wanted. */
  readonly load: () => Promise<{ measure(bench: Bench): Promise<readonly Row[]> }>
}

/** What a measurement runs in. */
export interface Bench {
  readonly progress: Progress
  /** Whatever is registered here is closed when the measurement is over, or broken off. */
  readonly scope: Scope
  /** Tiny sizes: to see that a measurement works, not to believe it. */
  readonly quick: boolean
}

/** A size, or the tiny one that goes with it. */
export function size({ quick }: Bench, full: number, tiny: number): number {
  return quick ? tiny : full
}
