import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Loading the CDK takes seconds: its tests touch nothing global and share one copy. */
const INFRA = ['test/infra/**/*.test.ts']

/** Whole rehearsals take longest: whoever starts with something else waits for them alone in the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isLong = ({ moduleId }: TestSpecification) => /\/test\/(local|handlers)\/[^/]+$/.test(moduleId)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

export default defineConfig({
  test: {
    // Real servers and real processes take seconds; a machine that others use as well takes several times as long.
    testTimeout: 90_000,
    hookTimeout: 240_000,
    // Half of the tests wait for processes: a third worker has two cores busy all the time.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: 'infra', include: INFRA, isolate: false } },
      { extends: true, test: { name: 'all else', include: ['test/**/*.test.ts'], exclude: INFRA } },
    ],
  },
})
