import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Whole rehearsals take longest, then what runs scripts or synthesises: whoever keeps them waits for them alone. */
const LONGEST_FIRST = [/\/test\/(local|handlers)\/[^/]+$/, /\/test\/(fleet|infra)\//, /./]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rankOf = ({ moduleId }: TestSpecification) => LONGEST_FIRST.findIndex((each) => each.test(moduleId))
    return LONGEST_FIRST.flatMap((_, rank) => sorted.filter((file) => rankOf(file) === rank))
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A test that connects to anything but loopback fails.
    setupFiles: ['test/setup.ts'],
    // Real servers and real processes take seconds; a machine that others use as well takes several times as long.
    testTimeout: 120_000,
    hookTimeout: 240_000,
    // As patient as that: what is waited for is there at once, or on a busy processor a while later.
    expect: { poll: { timeout: 60_000, interval: 25 } },
    // Loading the CDK or the SDK takes longer than most tests: they touch nothing global and share a few processes.
    isolate: false,
    // Real servers answer late on a processor that has more to do than that.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // The functions run on the newest Node; which one runs the tests is no news of theirs.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  },
})
