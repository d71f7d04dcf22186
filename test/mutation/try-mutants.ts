import type { RunnerTestCase } from 'vitest'
import type { Finding, Lesson, Lessons, Target } from './findings.ts'
import { type Ending, runTest } from './run-test.ts'
import { switches } from './switches.ts'

/** ms of the processor for the tests that try one mutant: what so many do not notice is a gap near it. */
const BUDGET = 3000
/** How many times as often as in the unchanged test a mutant may be passed before it counts as a loop without end. */
const HIT_FACTOR = 100
const HITS_MORE = 1000
/** How many times as long as unchanged a test may take: what never settles would be waited for (patience.ts). */
const PATIENCE_FACTOR = 10
const PATIENCE_MORE = 5000

export interface Known extends Lesson {
  readonly run: RunnerTestCase
  /** How many mutants it has killed, by their sources. */
  readonly kills: Map<string, number>
}

/** Tries one mutant after the other. @returns false where one left the process unfit for those after it. */
export async function tryMutants(
  mutants: readonly Target[],
  known: readonly Known[],
  say: (finding: Finding) => void,
): Promise<boolean> {
  for (const { id: mutant, file } of mutants) {
    let ending: Ending = 'passed'
    for (const test of worthwhile(mutant, file, known)) {
      say({ kind: 'trying', mutant })
      ending = await endingUnder(mutant, test)
      if (ending === 'passed') continue
      test.kills.set(file, killsOf(test, file) + 1)
      // What an earlier mutant left behind must not be what failed this one.
      if (ending === 'failed' && (await runTest(test.run)) !== 'passed') {
        say({ kind: 'spoilt', mutant })
        return false
      }
      break
    }
    say({ kind: 'tried', mutant, killed: ending !== 'passed' })
    // Whatever was waited for in vain may go on one day.
    if (ending === 'late') return false
  }
  return true
}

export function knownFrom(tests: readonly RunnerTestCase[], lessons: Lessons): readonly Known[] {
  const byId = new Map(tests.map((test) => [test.id, test]))
  return lessons.tests.flatMap((lesson) => {
    const run = byId.get(lesson.test)
    return run === undefined ? [] : [{ ...lesson, run, kills: new Map() }]
  })
}

/**
 * Half the time is for those that killed most of the same source for what they cost, half for the cheapest of the
 * others: a long test that often kills must not keep a short one that is about this very place from being asked.
 */
export function worthwhile(mutant: string, file: string, known: readonly Known[]): readonly Known[] {
  const rank = (test: Known) => test.cost / (1 + killsOf(test, file))
  const passing = known.filter(({ hits }) => mutant in hits)
  const likely = affordable(passing.toSorted((one, other) => rank(one) - rank(other)))
  const others = passing.filter((test) => !likely.includes(test))
  return [...likely, ...affordable(others.toSorted((one, other) => one.cost - other.cost))]
}

function affordable(tests: readonly Known[]): readonly Known[] {
  let spent = 0
  return tests.filter(({ cost }) => {
    const fits = spent === 0 || spent + cost <= BUDGET / 2
    if (fits) spent += cost
    return fits
  })
}

function killsOf({ kills }: Known, file: string): number {
  return kills.get(file) ?? 0
}

/** What fails for what else the machine does passes when it is run again. */
async function endingUnder(mutant: string, test: Known): Promise<Ending> {
  const ending = await runUnder(mutant, test)
  return ending === 'failed' ? await runUnder(mutant, test) : ending
}

async function runUnder(mutant: string, test: Known): Promise<Ending> {
  const hitLimit = HIT_FACTOR * (test.hits[mutant] ?? 0) + HITS_MORE
  Object.assign(switches, { activeMutant: mutant, hitCount: 0, hitLimit })
  const ending = await runTest(test.run, PATIENCE_FACTOR * test.cost + PATIENCE_MORE)
  const looped = (switches.hitCount ?? 0) > hitLimit
  Object.assign(switches, { activeMutant: undefined, hitCount: undefined, hitLimit: undefined })
  return looped && ending === 'passed' ? 'failed' : ending
}
