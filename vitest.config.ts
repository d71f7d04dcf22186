import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * What starts programs by the thousand, in processes that load little: each start copies the page tables of the process
 * that starts it, which takes three times as long where that has loaded the CDK and has run a minute of tests.
 */
const PROGRAMS = ['test/{agent,ocsp}/**/*.test.ts', 'test/local/options.test.ts']

/**
 * What takes long, and tries by every fault in turn, by whole rehearsals or by another program's verdict what the others
 * try by one. `npm test` leaves these out, `npm run test:all` does not.
 */
const LONG = {
  programs: [
    'test/agent/{boot,by-hand,causes,check,credentials,deadline,drift,foreign-hands,gone-meanwhile,guarded,health-check,hold,launch,observe}.test.ts',
    'test/agent/{delivered-units,local-ring,offboard}.test.ts',
    'test/agent/{envoy,install-refusals,interruptions,key-files,kinds,kinds-wrong,layouts,lighttpd,next-start,nginx-care,nginx-connections,nginx-reload,protection}.test.ts',
    'test/agent/{refusals,reloads,ring-value,secrecy,servers,settings,two-kinds}.test.ts',
    'test/agent/staple-{drift,ends,haproxy,kinds,lighttpd,program,refusals,runs,system,wrong}.test.ts',
    'test/local/{commands,early-end,keep}.test.ts',
    'test/ocsp/{explain,fuzz,matrix,openssl-verdicts,structure}.test.ts',
  ],
  modules: [
    'test/cli/{deployed,offboard,preflight/preflight,refused-calls,rollback}.test.ts',
    'test/handlers/{at-once,crashes,dry-runs}.test.ts',
    'test/infra/{app/largest-stacks,app/nag,app/own-app,fleet/bundle,packages/packages,release/release,ring/launch-hook}.test.ts',
    'test/local/{adopt-first,deploying,exposure,iam,own-rehearsal,page,rehearsal-faults,rehearsal-kinds,released,scenes,servers,show,staple-iam,synthesis-inputs}.test.ts',
    'test/local/aws/{moto,rotation,run-command,scheduler,tools}.test.ts',
    'test/local/own/own-servers.test.ts',
    'test/ring/{exploration,garbled,large-fleet,operators}.test.ts',
  ],
  /** Nine minutes of rehearsals: `npm run test:scenes`. */
  scenes: ['test/local/scenes-of-failure.test.ts'],
}

/** A process is kept for the files of one project: first all of one, then all of the next. */
const PROJECTS = [
  { name: 'long programs', include: LONG.programs },
  { name: 'programs', include: PROGRAMS, exclude: LONG.programs },
  { name: 'long modules', include: LONG.modules },
  { name: 'long scenes', include: LONG.scenes },
  {
    name: 'modules',
    include: ['test/**/*.test.ts'],
    exclude: [...PROGRAMS, ...LONG.programs, ...LONG.modules, ...LONG.scenes],
  },
]

/** As measured, the longest first: a long file that begins last is waited for alone. */
const LONGEST_FIRST = [
  'agent/lighttpd',
  'agent/staple-lighttpd',
  'local/scenes',
  'local/keep',
  'agent/deadline',
  'local/early-end',
  'local/commands',
  'agent/servers',
  'agent/interruptions',
  'agent/staple',
  'agent/install',
  'agent/',
  'handlers/',
  'cli/deployed',
  'local/rehearsal',
  'ring/exploration',
  'local/',
  'infra/app/own-app',
  'ring/large-fleet',
  'ocsp/openssl',
  'infra/',
]

class LongestFirst extends BaseSequencer {
  /** A process is kept for the files of one project: first all of one, then all of the next. */
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const ranked = sorted.toSorted((one, other) => rankOf(one) - rankOf(other))
    return PROJECTS.flatMap(({ name }) => ranked.filter(({ project }) => project.name === name))
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
    projects: PROJECTS.map((test) => ({ extends: true, test })),
  },
})
