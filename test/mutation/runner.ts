import { setMaxListeners } from 'node:events'
import { type RunnerTestCase, type RunnerTestSuite, TestRunner } from 'vitest'

/** What one test says of the mutants; it travels to the main process beside the test's result. */
export interface Findings {
  readonly covered: readonly string[]
  readonly killed: readonly string[]
  /** The test did not pass a second time in the same process: it kills none. */
  readonly unrepeatable?: true
}

declare module 'vitest' {
  interface TaskMeta {
    mutation?: Findings
    loaded?: readonly string[]
  }
}

/** The namespace that StrykerJS's instrumented code reads and counts in. */
interface Switches {
  activeMutant?: string | undefined
  currentTestId?: string | undefined
  hitCount?: number | undefined
  hitLimit?: number
  mutantCoverage?: { static: Hits; perTest: Record<string, Hits> }
}
type Hits = Record<string, number>

/** How many times as often as in the unchanged test a mutant may be passed before it counts as a loop without end. */
const HIT_FACTOR = 100
const HITS_MORE = 1000
/** ms that a test may take under a mutant: what never settles would be waited for. */
const PATIENCE = 20_000

/** Tests that try a mutant at most, nearest first: what so many do not notice is a gap near it. */
const TRIES = 150

const global = globalThis as {
  __stryker__?: Switches
  __killed__?: Set<string>
  __tries__?: Map<string, number>
}
global.__stryker__ ??= {}
global.__killed__ ??= new Set()
global.__tries__ ??= new Map()
const switches = global.__stryker__
const killed = global.__killed__
const tries = global.__tries__

/** Runs each test as it is, then once under each mutant that it passed and that no test has killed yet. */
export default class MutationRunner extends TestRunner {
  override onBeforeTryTask(test: RunnerTestCase): void {
    super.onBeforeTryTask(test)
    switches.currentTestId = test.id
  }

  async runTask(test: RunnerTestCase): Promise<void> {
    // Each run adds one.
    setMaxListeners(0, test.context.signal)
    await TestRunner.getTestFn(test)()
    switches.currentTestId = undefined
    const hits = switches.mutantCoverage?.perTest[test.id] ?? {}
    const found = await underMutants(test, hits, this.injectValue('mutants'))
    test.meta.mutation = { covered: Object.keys(hits), ...found }
    test.meta.loaded = Object.keys(switches.mutantCoverage?.static ?? {})
  }
}

async function underMutants(
  test: RunnerTestCase,
  hits: Hits,
  mutants: readonly string[],
): Promise<Omit<Findings, 'covered'>> {
  const isOpen = (id: string) => !killed.has(id) && (tries.get(id) ?? 0) < TRIES
  const candidates = mutants
    .filter(isOpen)
    .flatMap((id) => (hits[id] === undefined ? [] : [[id, hits[id]] as const]))
  if (candidates.length === 0) return { killed: [] }
  if (!(await passes(test))) return { killed: [], unrepeatable: true }
  const fallen: string[] = []
  for (const [id, count] of candidates) if (!(await survives(test, id, count))) fallen.push(id)
  // What a mutant left behind must not be what failed the next one.
  if (!(await passes(test))) return { killed: [], unrepeatable: true }
  for (const id of fallen) killed.add(id)
  return { killed: fallen }
}

async function survives(test: RunnerTestCase, id: string, hits: number): Promise<boolean> {
  tries.set(id, (tries.get(id) ?? 0) + 1)
  Object.assign(switches, { activeMutant: id, hitCount: 0, hitLimit: HIT_FACTOR * hits + HITS_MORE })
  const passed = await passes(test)
  const looped = (switches.hitCount ?? 0) > HIT_FACTOR * hits + HITS_MORE
  Object.assign(switches, { activeMutant: undefined, hitCount: undefined })
  return passed && !looped
}

async function passes(test: RunnerTestCase): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), PATIENCE)
  })
  const run = runWithHooks(test).then(
    () => true,
    () => false,
  )
  return await Promise.race([run, late]).finally(() => clearTimeout(timer))
}

async function runWithHooks(test: RunnerTestCase): Promise<void> {
  const suites = suitesOf(test)
  const after: (() => unknown)[] = []
  for (const suite of suites) {
    const hooks = TestRunner.getSuiteHooks(suite)
    after.unshift(...hooks.afterEach.map((hook) => () => hook(test.context, suite)))
    for (const hook of hooks.beforeEach) {
      const cleanup: unknown = await hook(test.context, suite)
      if (typeof cleanup === 'function') after.unshift(() => cleanup())
    }
  }
  try {
    await TestRunner.getTestFn(test)()
  } finally {
    for (const each of after) await each()
  }
}

/** The outermost first, which is the file. */
function suitesOf(test: RunnerTestCase): readonly RunnerTestSuite[] {
  const suites: RunnerTestSuite[] = []
  for (let suite = test.suite; suite !== undefined; suite = suite.suite) suites.unshift(suite)
  return suites[0] === test.file ? suites : [test.file, ...suites]
}
