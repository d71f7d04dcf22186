import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { ExecTrace, isFinished, stringsOf } from '../../local/rehearsal/secrecy/exec-trace.ts'

const directories = new Map<ExecTrace, string>()
afterAll(() => {
  for (const directory of directories.values()) rmSync(directory, { recursive: true })
})

function newTrace(): ExecTrace {
  const directory = mkdtempSync('/dev/shm/ticketring-test-')
  const trace = new ExecTrace(directory)
  directories.set(trace, directory)
  return trace
}

/** What the tracer has written so far. */
function traceOf(trace: ExecTrace): string {
  const directory = directories.get(trace) ?? ''
  return readdirSync(directory)
    .map((file) => readFileSync(join(directory, file), 'latin1'))
    .join('')
}

async function run(trace: ExecTrace, argv: readonly string[], env: Record<string, string> = {}) {
  const [command, ...words] = trace.wrap(argv, 'the test') as [string, ...string[]]
  const child = spawn(command, words, { env: { PATH: process.env.PATH, ...env }, stdio: 'ignore' })
  const [code] = await once(child, 'exit')
  // The tracer writes its last line after the process has gone.
  await expect.poll(() => traceOf(trace)).toSatisfy(isFinished)
  return { code, pid: child.pid }
}

describe('a traced process', () => {
  it('shows the arguments and the environment of its descendants, byte for byte', async () => {
    const trace = newTrace()
    const odd = 'a "quoted"\nline\twith \\ and \u00e9'
    await run(trace, ['sh', '-c', 'env INNER="$ODD" true "$ODD"; :'], { ODD: odd })
    const texts = trace.collect().map(({ text }) => text.toString())
    expect(texts).toContain(odd)
    expect(texts).toContain(`INNER=${odd}`)
    expect(texts).toContain(`ODD=${odd}`)
    expect(trace.execs).toBeGreaterThanOrEqual(3)
  })

  it('is the child of the process that spawned it, and keeps its exit code', async () => {
    expect(await run(newTrace(), ['sh', '-c', 'exit 7'])).toMatchObject({ code: 7 })
  })

  it('is let alone between them, though it never calls execve: a worker is served as fast as without a tracer', async () => {
    const folder = mkdtempSync('/dev/shm/ticketring-test-')
    onTestFinished(() => rmSync(folder, { recursive: true }))
    // A subshell opens a file some thousand times, and then tells how often its tracer had to wake up.
    const script = `(i=0; while [ $i -lt 5000 ]; do : </dev/null; i=$((i + 1)); done
      while read -r name value; do [ "$name" != TracerPid: ] || tracer=$value; done </proc/$$/status
      while read -r name value; do [ "$name" != voluntary_ctxt_switches: ] || echo $value; done </proc/$tracer/status
    ) >${folder}/waked; :`
    await run(newTrace(), ['sh', '-c', script])
    expect(Number(readFileSync(join(folder, 'waked'), 'utf8').trim() || 'untold')).toBeLessThan(1000)
  })

  it('that still runs is read when everything is, and only then', async () => {
    const trace = newTrace()
    const [command, ...words] = trace.wrap(['sleep', '600.125'], 'sleeper') as [string, ...string[]]
    const child = spawn(command, words, { stdio: 'ignore' })
    onTestFinished(() => void child.kill('SIGKILL'))
    await expect.poll(() => traceOf(trace)).toContain('600.125')
    expect(trace.collect()).toEqual([])
    expect(trace.collect(true).map(({ text }) => text.toString())).toContain('600.125')
  })
})

describe('what strace prints', () => {
  it('is unescaped', () => {
    const line = '12 execve("/bin/x", ["x", "a\\n\\"b\\"\\\\", "\\303\\251\\0"], ["K=v"]) = 0'
    expect(stringsOf(line)).toEqual(['/bin/x', 'x', 'a\n"b"\\', '\u00c3\u00a9\0', 'K=v'])
  })

  it('is finished when every process in it has ended', () => {
    const lines = [
      '1 execve("/bin/x", ["x"], []) = 0',
      '2 execve("/bin/y", ["y"], []) = 0',
      '2 +++ exited with 0 +++',
    ]
    expect(isFinished(lines.join('\n'))).toBe(false)
    expect(isFinished([...lines, '1 +++ killed by SIGTERM +++', ''].join('\n'))).toBe(true)
    expect(isFinished('')).toBe(false)
  })
})
