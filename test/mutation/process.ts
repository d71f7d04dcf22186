import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BroadcastChannel } from 'node:worker_threads'
import { startVitest } from 'vitest/node'
import { CHANNEL, type Finding, type Job } from './findings.ts'

/** ms of the processor that one test under a mutant may take before its thread counts as hung. */
const PATIENCE = 60_000
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

// The tests have a thread of this process: one that hangs ends with it, and it ends with the process that asked for it.
process.on('disconnect', () => process.exit())
let begun: NodeJS.CpuUsage | undefined
new BroadcastChannel(CHANNEL).onmessage = (event) => {
  const finding: Finding = (event as MessageEvent).data
  begun = finding.kind === 'trying' ? process.cpuUsage() : undefined
  process.send?.(finding)
}
setInterval(() => begun && process.cpuUsage(begun).user > PATIENCE * 1000 && process.exit(), 1000)
process.once('message', (job: Job) => void work(job).finally(() => process.exit()))

async function work({ sources, ...job }: Job): Promise<void> {
  await startVitest(
    'test',
    [],
    {
      config: false,
      root: ROOT,
      watch: false,
      include: ['test/mutation/all-tests.ts'],
      // That test begins all the others.
      testNamePattern: /^under each mutant$/,
      setupFiles: ['test/mutation/setup.ts'],
      reporters: [{}],
      pool: 'threads',
      maxWorkers: 1,
      isolate: false,
      testTimeout: 0,
      hookTimeout: 0,
      silent: true,
      dangerouslyIgnoreUnhandledErrors: true,
      provide: { job },
    },
    { plugins: [{ name: 'mutants', enforce: 'pre', load: (id) => sources.get(relative(ROOT, id)) }] },
  )
}
