import type { RunnerTestCase } from 'vitest'
import type { Lesson, Lessons } from './findings.ts'
import { runTest } from './run-test.ts'
import { switches } from './switches.ts'

/** Runs each test as it is: which mutants it passes, how often, and how long it takes the second time. */
export async function learn(tests: readonly RunnerTestCase[]): Promise<Lessons> {
  const [lessons, failed, unrepeatable]: [Lesson[], string[], string[]] = [[], [], []]
  for (const test of tests) {
    switches.currentTestId = test.id
    const first = await runTest(test)
    switches.currentTestId = undefined
    const begun = process.cpuUsage()
    const again = await runTest(test)
    const { user, system } = process.cpuUsage(begun)
    const cost = (user + system) / 1000
    if (first !== 'passed') failed.push(nameOf(test))
    else if (again !== 'passed') unrepeatable.push(nameOf(test))
    else lessons.push({ test: test.id, cost, hits: switches.mutantCoverage?.perTest[test.id] ?? {} })
  }
  const loaded = Object.keys(switches.mutantCoverage?.static ?? {})
  return { tests: lessons, loaded, failed, unrepeatable }
}

function nameOf(test: RunnerTestCase): string {
  return test.suite === undefined ? test.name : `${test.suite.name}: ${test.name}`
}
