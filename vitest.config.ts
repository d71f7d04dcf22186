import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real servers and real processes: a test may take seconds, never minutes.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores: more workers than that only fight for them.
    maxWorkers: 2,
  },
})
