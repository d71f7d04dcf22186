import { accessSync, constants, existsSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import { setImmediate as pause } from 'node:timers/promises'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { listenForInterruption } from '../interruption.ts'
import { paintOn } from '../paint.ts'
import { requireInstalled } from './machines/required-servers.ts'
import { type Options, parseOptions, USAGE } from './options.ts'
import { type OwnConfigurations, serversOf } from './own/own-configuration.ts'
import { type Progress, progressOn } from './progress.ts'
import { RehearsalError } from './rehearsal-error.ts'
import type { Result } from './report/judge.ts'
import { requireAnnounceable } from './running-rehearsal.ts'
import { sceneList } from './scenes/scenes.ts'
import { outlookOf, timingFor } from './timing.ts'

const interruption = listenForInterruption()

/** Exit code 0 only for a rehearsal without any problem. */
async function main(words: readonly string[]): Promise<number> {
  const options = parseOptions(words)
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  if (options === 'scenes') {
    console.log(sceneList())
    return 0
  }
  if (options.report !== undefined) requireWritable('report', options.report)
  if (options.html !== undefined) requireWritable('page', options.html)
  if (options.keep) requireAnnounceable()
  requireInstalled(options.fleet)
  const progress = progressOn(process.stdout, Date.now, paintOn(process.stdout))
  const own = await readOwn(options, progress)
  foretell(options, progress)
  // Loading them takes longer than all that has been answered by here.
  const { rehearse } = await import('./rehearsal.ts')
  const { summaryOf } = await import('./report/summary.ts')
  const { historyOf } = await import('./page/history.ts')
  const { pageOf } = await import('./page/page.ts')
  const onResult = (result: Result) => {
    present(result, summaryOf(result), options)
    if (options.html === undefined) return
    writeFileSync(options.html, pageOf(result, historyOf(result.testbed, result.record, Date.now())))
  }
  const { report } = await rehearse({ ...options, own, progress, signal: interruption.signal, onResult })
  return report.ok ? 0 : 1
}

/** The user's configurations, which their servers accept: what differs in the copies is said. */
async function readOwn({ configurations }: Options, progress: Progress): Promise<OwnConfigurations> {
  if (Object.keys(configurations).length === 0) return {}
  const { readOwnConfigurations } = await import('./own/read.ts')
  const own = await readOwnConfigurations(configurations)
  for (const { said } of Object.values(own)) for (const line of said) progress.say(line)
  const settings = JSON.stringify({ servers: serversOf(own) }, null, 2).split('\n')
  for (const line of ['what a ring in cdk.json says of that:', ...settings]) progress.say(line)
  return own
}

/** What comes, before anything is loaded that takes its time. */
function foretell({ fleet, rotations }: Options, progress: Progress): void {
  progress.say(outlookOf(fleet, timingFor(fleet), rotations))
  progress.say('synthesising the stack from cdk.json, some seconds')
}

/** A minute of rehearsal must not end in a report that cannot be written. */
function requireWritable(what: string, file: string): void {
  try {
    accessSync(existsSync(file) ? file : dirname(file), constants.W_OK)
  } catch (cause) {
    const { username } = userInfo()
    const next = `Name a file that the user ${username} may write, in a folder that exists`
    throw new RehearsalError(`The ${what} cannot be written to ${file}`, next, cause)
  }
}

/** The last line tells at a glance. */
function painted(summary: string, { report }: Result): string {
  const at = summary.lastIndexOf('\n') + 1
  const tone = report.ok ? 'good' : 'bad'
  return summary.slice(0, at) + paintOn(process.stdout)(tone, summary.slice(at))
}

function present(result: Result, summary: string, { report }: Options): void {
  console.log(painted(summary, result))
  if (report !== undefined) writeFileSync(report, `${JSON.stringify(result.report, null, 2)}\n`)
}

/** What a user reads of what went wrong. */
function told(error: unknown): string {
  if (interruption.signal.aborted) return 'Interrupted: nothing is left behind'
  if (error instanceof RehearsalError) return `${error.message}\n${error.next}`
  if (error instanceof TicketringError) return error.message
  throw error
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  // A signal that came while nothing else could act is heard only now; what it ended beside us is no news.
  await pause()
  console.error(`\n${told(error)}`)
  process.exitCode = interruption.signal.aborted ? interruption.code : 1
}
