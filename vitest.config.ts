import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** A process for each file, and in it the CDK, takes longer than these tests: they touch nothing global and share a few. */
const SHARING = ['test/{infra,core,app,contract}/**/*.test.ts']

/**
 * Whole rehearsals take longest: whoever starts with something else waits for them alone in the end. Those that share
 * processes come last, one after the other: a process is left for another one's sake.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return [0, 1, 2].flatMap((rank) => sorted.filter((file) => rankOf(file) === rank))
  }
}

function rankOf({ moduleId, project }: TestSpecification): number {
  if (project.name === 'sharing') return 2
  return /\/test\/(local|handlers)\/[^/]+$/.test(moduleId) ? 0 : 1
}

export default defineConfig({
  test: {
    // Real servers and real processes take seconds; a machine that others use as well takes several times as long.
    testTimeout: 90_000,
    hookTimeout: 240_000,
    // Half of the tests wait for processes: four workers have two cores busy all the time.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: 'sharing', include: SHARING, isolate: false } },
      { extends: true, test: { name: 'alone', include: ['test/**/*.test.ts'], exclude: SHARING } },
    ],
  },
})
