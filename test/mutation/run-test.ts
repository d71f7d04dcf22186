import { setMaxListeners } from 'node:events'
import { type RunnerTask, type RunnerTestCase, type RunnerTestSuite, TestRunner } from 'vitest'
import { within } from './patience.ts'

export function testsOf(task: RunnerTask): readonly RunnerTestCase[] {
  return task.type === 'test' ? [task] : task.tasks.flatMap(testsOf)
}

export async function beforeAllOf(suite: RunnerTestSuite): Promise<void> {
  for (const hook of TestRunner.getSuiteHooks(suite).beforeAll) await hook(suite)
  for (const inner of suitesIn(suite)) await beforeAllOf(inner)
}

export async function afterAllOf(suite: RunnerTestSuite): Promise<void> {
  for (const inner of suitesIn(suite)) await afterAllOf(inner)
  for (const hook of TestRunner.getSuiteHooks(suite).afterAll) await hook(suite)
}

export type Ending = 'passed' | 'failed' | 'late'

/** Runs one test with its hooks, as often as one likes. */
export async function runTest(test: RunnerTestCase, patience = 600_000): Promise<Ending> {
  const run = runWithHooks(test).then(
    () => 'passed' as const,
    () => 'failed' as const,
  )
  return await within(patience, run)
}

async function runWithHooks(test: RunnerTestCase): Promise<void> {
  // Each run adds one.
  setMaxListeners(0, test.context.signal)
  const after: (() => unknown)[] = []
  try {
    for (const suite of suitesAround(test)) {
      const hooks = TestRunner.getSuiteHooks(suite)
      after.unshift(...hooks.afterEach.map((hook) => () => hook(test.context, suite)))
      for (const hook of hooks.beforeEach) {
        const cleanup: unknown = await hook(test.context, suite)
        if (typeof cleanup === 'function') after.unshift(() => cleanup())
      }
    }
    await TestRunner.getTestFn(test)()
  } finally {
    for (const each of after) await each()
  }
}

function suitesIn(suite: RunnerTestSuite): readonly RunnerTestSuite[] {
  return suite.tasks.filter((task) => task.type === 'suite')
}

/** The outermost first, which is the file. */
function suitesAround(test: RunnerTestCase): readonly RunnerTestSuite[] {
  const suites: RunnerTestSuite[] = []
  for (let suite = test.suite; suite !== undefined; suite = suite.suite) suites.unshift(suite)
  return suites[0] === test.file ? suites : [test.file, ...suites]
}
