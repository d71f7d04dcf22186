import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * What starts programs by the thousand, in processes that load little: each start copies the page tables of the process
 * that starts it, which takes three times as long where that has loaded the CDK and has run a minute of tests.
 */
const STARTS_PROGRAMS = [
  'test/{agent,ocsp}/**/*.test.ts',
  'test/local/{commands,early-end,keep,options}.test.ts',
]

/** As measured, the longest first: a long file that begins last is waited for alone. */
const LONGEST_FIRST = [
  'local/keep',
  'agent/deadline',
  'local/early-end',
  'local/commands',
  'agent/servers',
  'agent/interruptions',
  'agent/staple',
  'agent/install',
  'agent/',
  'ocsp/validation',
  'handlers/rotate',
  'local/rehearsal',
  'ring/schedules',
  'local/',
  'infra/own-app',
  'ring/large-fleet',
  'infra/',
]

class LongestFirst extends BaseSequencer {
  /** A process is kept for the files of one project: first all of one, then all of the other. */
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const ranked = sorted.toSorted((one, other) => rankOf(one) - rankOf(other))
    return ['programs', 'modules'].flatMap((name) => ranked.filter(({ project }) => project.name === name))
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = LONGEST_FIRST.findIndex((each) => moduleId.includes(`/test/${each}`))
  return rank < 0 ? LONGEST_FIRST.length : rank
}

export default defineConfig({
  test: {
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
    projects: [
      { extends: true, test: { name: 'programs', include: STARTS_PROGRAMS } },
      { extends: true, test: { name: 'modules', include: ['test/**/*.test.ts'], exclude: STARTS_PROGRAMS } },
    ],
  },
})
