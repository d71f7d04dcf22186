/** How often a test passes each mutant, by the mutant's id. */
export type Hits = Readonly<Record<string, number>>

/** What one test is good for; the id is the same in each process. */
export interface Lesson {
  readonly test: string
  /** ms of the processor: what else the machine does has no part in it. */
  readonly cost: number
  readonly hits: Hits
}

/** What the tests are without any mutant. */
export interface Lessons {
  readonly tests: readonly Lesson[]
  /** Passed while modules load or before all tests of a suite: no switch reaches them there. */
  readonly loaded: readonly string[]
  /** Names of tests that do not pass at all. */
  readonly failed: readonly string[]
  /** Names of tests that do not pass a second time in the same process: they try no mutant. */
  readonly unrepeatable: readonly string[]
}

/** A mutant that is to be tried, and the source that it is of. */
export interface Target {
  readonly id: string
  readonly file: string
}

/** One process's work. */
export interface Job {
  /** Files from the project's root. */
  readonly tests: readonly string[]
  /** Sources with all their mutants behind switches, by file. */
  readonly sources: ReadonlyMap<string, string>
  readonly mutants: readonly Target[]
  /** From an earlier process: the tests are not run without mutants again. */
  readonly lessons?: Lessons
}

/** What the process says while it works: whatever ends it, the last of these is known. */
export type Finding =
  | { readonly kind: 'learned'; readonly lessons: Lessons }
  | { readonly kind: 'trying'; readonly mutant: string }
  | { readonly kind: 'tried'; readonly mutant: string; readonly killed: boolean }
  /** A test failed under this mutant, and fails after it: what follows needs another process. */
  | { readonly kind: 'spoilt'; readonly mutant: string }
  | { readonly kind: 'through' }

export const CHANNEL = 'mutants'

declare module 'vitest' {
  interface ProvidedContext {
    job: Omit<Job, 'sources'>
  }
}
