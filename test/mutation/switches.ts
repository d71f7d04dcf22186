import type { Hits } from './findings.ts'

/** The namespace that StrykerJS's instrumented code reads and counts in. */
interface Switches {
  activeMutant?: string | undefined
  currentTestId?: string | undefined
  hitCount?: number | undefined
  hitLimit?: number | undefined
  mutantCoverage?: { static: Hits; perTest: Record<string, Hits> }
}

const global = globalThis as { __stryker__?: Switches }
global.__stryker__ ??= {}

export const switches = global.__stryker__
