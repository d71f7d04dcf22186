import { configureGlobal } from 'fast-check'
import { afterAll, afterEach } from 'vitest'
import { insistOnLoopback, stayOnLoopback } from './loopback-only.mjs'

// A change is judged by what it is, not by the day's draw: another one is FAST_CHECK_SEED=… npm test.
configureGlobal({ seed: Number(process.env.FAST_CHECK_SEED ?? 1) })
await stayOnLoopback()
afterEach(insistOnLoopback)
afterAll(insistOnLoopback)
