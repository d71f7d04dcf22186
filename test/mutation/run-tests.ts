import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RunnerTask } from 'vitest'
import { BaseSequencer, type Reporter, startVitest, type TestSpecification, type Vitest } from 'vitest/node'
import type { Instrumented, Mutant } from './mutants.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** What the tests said of the mutants. */
export interface Outcome {
  readonly killed: ReadonlySet<string>
  readonly covered: ReadonlySet<string>
  /** Passed while modules load: no switch reaches them there. */
  readonly loaded: ReadonlySet<string>
  readonly unrepeatable: readonly string[]
}

/** Runs these tests once, each of them under those mutants that it passes. @throws Error where one fails without any. */
export async function runTests(
  tests: readonly string[],
  code: Instrumented,
  mutants: readonly Mutant[],
): Promise<Outcome> {
  const vitest = await start(tests, code, {
    runner: `${ROOT}test/mutation/runner.ts`,
    provide: { mutants: mutants.map(({ id }) => id) },
  })
  const all = vitest.state.getFiles().flatMap(testsOf)
  const failed = all.filter(({ result }) => result?.state === 'fail')
  await vitest.close()
  if (failed.length > 0 || all.length === 0)
    throw new Error(
      `these fail without a mutant: ${failed.map(({ name }) => name).join('; ') || 'no test at all'}`,
    )
  const findings = all.flatMap(({ meta }) => meta.mutation ?? [])
  return {
    killed: new Set(findings.flatMap(({ killed }) => killed)),
    covered: new Set(findings.flatMap(({ covered }) => covered)),
    loaded: new Set(all.flatMap(({ meta }) => meta.loaded ?? [])),
    unrepeatable: all
      .filter(({ meta }) => meta.mutation?.unrepeatable)
      .map(({ name, file }) => `${file.name}: ${name}`),
  }
}

async function start(tests: readonly string[], { sources }: Instrumented, options: object): Promise<Vitest> {
  return startVitest(
    'test',
    [],
    {
      config: false,
      root: ROOT,
      watch: false,
      include: [...tests],
      setupFiles: ['test/mutation/setup.ts'],
      reporters: [progressOf(tests)],
      // One process knows what has been killed already.
      maxWorkers: 1,
      isolate: false,
      testTimeout: 600_000,
      hookTimeout: 240_000,
      silent: true,
      dangerouslyIgnoreUnhandledErrors: true,
      sequence: { sequencer: AsTold(tests) },
      ...options,
    },
    { plugins: [{ name: 'mutants', enforce: 'pre', load: (id) => sources.get(relative(ROOT, id)) }] },
  )
}

/** A line on standard error for each file that is through. */
function progressOf(tests: readonly string[]): Reporter {
  let done = 0
  return {
    onTestModuleEnd({ moduleId }) {
      done += 1
      console.error(`  ${done} of ${tests.length}: ${relative(ROOT, moduleId)}`)
    },
  }
}

/** The order of the arguments: what kills most in least time comes first. */
function AsTold(tests: readonly string[]): typeof BaseSequencer {
  const rank = ({ moduleId }: TestSpecification) => tests.indexOf(relative(ROOT, moduleId))
  return class extends BaseSequencer {
    override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
      return files.toSorted((one, other) => rank(one) - rank(other))
    }
  }
}

function testsOf(task: RunnerTask): Extract<RunnerTask, { type: 'test' }>[] {
  return task.type === 'test' ? [task] : task.tasks.flatMap(testsOf)
}
