import { tolerateClosedPipes } from '../local/closed-pipe.ts'
import { progressOn } from '../local/rehearsal/progress.ts'
import type { Io } from './command.ts'

/** This process's own streams and clock. */
export function terminal(): Io {
  tolerateClosedPipes()
  const { state, end } = progressOn(process.stderr, Date.now)
  return { out: console.log, error: console.error, state, endState: end, now: Date.now }
}
