import { defineConfig } from 'vitest/config'

/** Loading the CDK takes seconds: its tests touch nothing global and share one copy. */
const INFRA = ['test/infra/**/*.test.ts']

export default defineConfig({
  test: {
    // Real servers and real processes take seconds; a machine that others use as well takes several times as long.
    testTimeout: 90_000,
    hookTimeout: 240_000,
    // Two cores: more workers than that only fight for them.
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'infra', include: INFRA, isolate: false } },
      { extends: true, test: { name: 'all else', include: ['test/**/*.test.ts'], exclude: INFRA } },
    ],
  },
})
