import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Finding, Job, Lessons } from './findings.ts'

/** What the tests said of the mutants. */
export interface Outcome {
  readonly lessons: Lessons
  readonly killed: ReadonlySet<string>
}

const PROCESS = fileURLToPath(new URL('process.ts', import.meta.url))

/**
 * Tries each mutant by the tests that pass it. One that ends its process or makes it hang is noticed, and another
 * process goes on after it. @throws Error where a test fails without any.
 */
export async function tryAll(job: Omit<Job, 'lessons'>, tell: (tried: number) => void): Promise<Outcome> {
  const tried = new Map<string, boolean>()
  let lessons: Lessons | undefined
  let spoilt: string | undefined
  while (true) {
    const mutants = job.mutants.filter(({ id }) => !tried.has(id))
    const last = await runProcess({ ...job, mutants, ...(lessons && { lessons }) }, (finding) => {
      if (finding.kind === 'learned') lessons = finding.lessons
      if (finding.kind === 'tried') tell(tried.set(finding.mutant, finding.killed).size)
    })
    if (lessons === undefined || last === undefined) throw new Error('the tests do not load')
    if (lessons.failed.length > 0) throw new Error(`fail without a mutant: ${lessons.failed.join('; ')}`)
    if (last.kind === 'through') return { lessons, killed: killedOf(tried) }
    if (last.kind === 'learned') throw new Error('the tests end before the first mutant')
    // What is spoilt twice, the second time as the first of its process, was spoilt by this mutant.
    if (last.kind === 'trying' || (last.kind === 'spoilt' && last.mutant === spoilt))
      tried.set(last.mutant, true)
    spoilt = last.kind === 'spoilt' ? last.mutant : undefined
  }
}

function killedOf(tried: ReadonlyMap<string, boolean>): ReadonlySet<string> {
  return new Set([...tried].filter(([, killed]) => killed).map(([id]) => id))
}

/** @returns what it said last, whichever way it ended. */
async function runProcess(job: Job, hear: (finding: Finding) => void): Promise<Finding | undefined> {
  const child = fork(PROCESS, { execArgv: ['--import', 'tsx'], serialization: 'advanced', stdio: 'inherit' })
  let last: Finding | undefined
  child.on('message', (finding: Finding) => {
    last = finding
    hear(finding)
  })
  child.send(job)
  await new Promise((resolve) => child.once('exit', resolve))
  return last
}
