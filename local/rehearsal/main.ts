import { writeFileSync } from 'node:fs'
import { TicketringError } from '../../lambda/core/errors.ts'
import { type Options, parseOptions, USAGE } from './options.ts'
import { SHOW } from './pace.ts'
import { progressOn } from './progress.ts'
import { type Result, rehearse } from './rehearsal.ts'
import { Setback } from './setback.ts'
import { summaryOf } from './summary.ts'

/** Exit code 0 only for a rehearsal without any problem. */
async function main(words: readonly string[]): Promise<number> {
  const options = parseOptions(words)
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  const progress = progressOn(process.stdout, Date.now)
  const onResult = (result: Result) => present(result, options)
  const { report } = await rehearse({ ...options, progress, signal: interruption(), onResult })
  return report.ok ? 0 : 1
}

function present(result: Result, { report }: Options): void {
  console.log(summaryOf(result, SHOW))
  if (report !== undefined) writeFileSync(report, `${JSON.stringify(result.report, null, 2)}\n`)
}

/** Asks for an orderly end once; whoever asks twice gets a quick one. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130)
      controller.abort()
    })
  }
  return controller.signal
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof Setback) console.error(`\n${error.message}\n${error.next}`)
  else if (error instanceof TicketringError) console.error(error.message)
  else throw error
  process.exitCode = 1
}
