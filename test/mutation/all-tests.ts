import { BroadcastChannel } from 'node:worker_threads'
import { describe, inject, it } from 'vitest'
import { CHANNEL, type Finding } from './findings.ts'
import { learn } from './learn.ts'
import { afterAllOf, beforeAllOf, testsOf } from './run-test.ts'
import { knownFrom, tryMutants } from './try-mutants.ts'

const job = inject('job')
const channel = new BroadcastChannel(CHANNEL)
const say = (finding: Finding) => channel.postMessage(finding)

it('under each mutant', async ({ task }) => {
  await beforeAllOf(task.file)
  const tests = testsOf(task.file).filter((test) => test !== task)
  const lessons = job.lessons ?? (await learn(tests))
  say({ kind: 'learned', lessons })
  if (lessons.failed.length === 0 && (await tryMutants(job.mutants, knownFrom(tests, lessons), say)))
    say({ kind: 'through' })
  await afterAllOf(task.file)
})

// One file of all, so that each mutant meets the tests in the order that suits it.
for (const file of job.tests)
  describe(file, async () => void (await import(/* @vite-ignore */ `../../${file}`)))
