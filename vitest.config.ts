import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real servers and real processes take seconds; a machine that others use as well takes several times as long.
    testTimeout: 90_000,
    hookTimeout: 240_000,
    // Two cores: more workers than that only fight for them.
    maxWorkers: 2,
  },
})
