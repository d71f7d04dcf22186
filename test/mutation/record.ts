import type { Choice } from './choice.ts'
import type { Mutant } from './mutants.ts'

/** How many mutants of a folder compile, and how many of those a test notices. */
export interface Score {
  readonly mutants: number
  readonly killed: number
}

/** A mutant that no test has to notice, known by its text: lines move. */
export interface Accepted {
  readonly file: string
  readonly original: string
  readonly replacement: string
  readonly reason: string
}

export function acceptedAs(mutant: Mutant, accepted: readonly Accepted[]): Accepted | undefined {
  return accepted.find((each) => isThe(each, mutant))
}

/** Entries for what was changed that no surviving mutant answers to. */
export function staleOf(
  { folder, files }: Choice,
  survivors: readonly Mutant[],
  accepted: readonly Accepted[],
): readonly Accepted[] {
  const here = accepted.filter(({ file }) =>
    files.length > 0 ? files.includes(file) : file.startsWith(`lambda/${folder}/`),
  )
  return here.filter((each) => !survivors.some((mutant) => isThe(each, mutant)))
}

/** In per cent, rounded down: what is asked for is reached, not nearly reached. */
export function shareOf({ mutants, killed }: Score): string {
  return `${(Math.floor((1000 * killed) / mutants) / 10).toFixed(1)} %`
}

function isThe({ file, original, replacement }: Accepted, mutant: Mutant): boolean {
  return file === mutant.file && original === mutant.original && replacement === mutant.replacement
}
