import { tolerateClosedPipes } from '../local/closed-pipe.ts'
import { paintOn } from '../local/paint.ts'
import { progressOn } from '../local/rehearsal/progress.ts'
import type { Io } from './command.ts'
import { withLoudLines } from './loud-lines.ts'

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
  const columns = widthOf(process.stdout)
  const paint = paintOn(process.stdout)
  const out = (text: string) => console.log(withLoudLines(text, paint))
  return { out, error: console.error, state, endState: end, onInterrupt, columns, now: Date.now }
}

/** @returns `undefined` of what is no terminal, and of one that tells no width, as a serial console's 0. */
export function widthOf({ columns }: { readonly columns?: number }): number | undefined {
  return columns === 0 ? undefined : columns
}
