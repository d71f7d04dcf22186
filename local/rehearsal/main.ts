import { accessSync, constants, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { TicketringError } from '../../lambda/core/errors.ts'
import type { Result } from './judge.ts'
import { type Options, parseOptions, USAGE } from './options.ts'
import { SHOW } from './pace.ts'
import { progressOn } from './progress.ts'
import { rehearse } from './rehearsal.ts'
import { Setback } from './setback.ts'
import { summaryOf } from './summary.ts'

/** Exit code 0 only for a rehearsal without any problem. */
async function main(words: readonly string[]): Promise<number> {
  const options = parseOptions(words)
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  if (options.report !== undefined) requireWritable(options.report)
  const progress = progressOn(process.stdout, Date.now)
  const onResult = (result: Result) => present(result, options)
  const { report } = await rehearse({ ...options, progress, signal: interruption.signal, onResult })
  return report.ok ? 0 : 1
}

/** A minute of rehearsal must not end in a report that nobody can write. */
function requireWritable(file: string): void {
  try {
    accessSync(dirname(file), constants.W_OK)
  } catch (cause) {
    throw new Setback(`The report cannot be written to ${file}`, 'Name a file in a folder that exists', cause)
  }
}

function present(result: Result, { report }: Options): void {
  console.log(summaryOf(result, SHOW))
  if (report !== undefined) writeFileSync(report, `${JSON.stringify(result.report, null, 2)}\n`)
}

/** What a shell shows for a command that Ctrl-C ended. */
const INTERRUPTED = 130
const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // Whoever asks twice gets a quick end instead of an orderly one.
    if (interruption.signal.aborted) process.exit(INTERRUPTED)
    interruption.abort()
  })
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof Setback) console.error(`\n${error.message}\n${error.next}`)
  else if (error instanceof TicketringError) console.error(error.message)
  else throw error
  process.exitCode = interruption.signal.aborted ? INTERRUPTED : 1
}
