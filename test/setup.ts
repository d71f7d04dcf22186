import { afterAll, afterEach } from 'vitest'
import { insistOnLoopback, stayOnLoopback } from './loopback-only.ts'

await stayOnLoopback()
afterEach(insistOnLoopback)
afterAll(insistOnLoopback)
