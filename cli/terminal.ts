import { tolerateClosedPipes } from '../local/closed-pipe.ts'
import { progressOn } from '../local/rehearsal/progress.ts'
import type { Io } from './command.ts'

/** What a shell says of a command that Ctrl-C ended. */
const INTERRUPTED = 130

/** This process's own streams and clock. */
export function terminal(): Io {
  tolerateClosedPipes()
  const { state, end } = progressOn(process.stderr, Date.now)
  let goesOn: string | undefined
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      end()
      if (goesOn !== undefined) console.error(goesOn)
      process.exit(INTERRUPTED)
    })
  const onInterrupt = (text: string | undefined) => {
    goesOn = text
  }
  const { columns } = process.stdout
  return { out: console.log, error: console.error, state, endState: end, onInterrupt, columns, now: Date.now }
}
