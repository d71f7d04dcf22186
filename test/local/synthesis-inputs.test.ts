import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { HOME } from '../../local/rehearsal/project-root.ts'
import { SynthesisCache } from '../../local/rehearsal/synthesis-cache.ts'

/** What keeps this very test on loopback is loaded into each of its processes. */
const GUARD = 'test/loopback-only.mjs'

/** Files of this project that processes with this trace have opened, below its root. */
function opened(trace: string): readonly string[] {
  const paths = [...trace.matchAll(/"([^"]+)", O_RDONLY/g)].map(([, path = '']) => path)
  const files = paths.filter((path) => path.startsWith(HOME) && statSync(path).isFile())
  return [...new Set(files.map((path) => relative(HOME, path)))].filter(
    (path) => !path.startsWith('node_modules/'),
  )
}

it('a synthesis opens no file of this project that its digest does not cover', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ticketring-inputs-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const trace = join(directory, 'trace')
  const script = `
    const { synthesiseFor } = await import('./local/rehearsal/synthesise.ts')
    synthesiseFor({ machines: 2, stapled: 2, kinds: ['haproxy', 'nginx'] }, ${JSON.stringify(join(directory, 'cdk.out'))})`
  const words = ['-f', '--seccomp-bpf', '-qq', '-z', '-e', 'trace=open,openat', '-o', trace]
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', script]
  execFileSync('strace', [...words, ...node], { cwd: HOME, stdio: 'pipe' })
  const seen = opened(readFileSync(trace, 'latin1'))
  const covered = [...new SynthesisCache().sources()].map((path) => relative(HOME, path))
  for (const path of ['cdk.json', 'lambda/handlers/rotate.ts', 'agent/install.py'])
    expect(seen).toContain(path)
  expect(seen.filter((path) => path !== GUARD && !covered.includes(path))).toEqual([])
})
