/** Nothing of a run's keys gets out by the way it ends, by its environment or by what it prints. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseResultLine } from '../../lambda/ring/result-line.ts'
import type { Ring } from '../../lambda/ring/ring.ts'
import type { Instance } from './instance.ts'
import { findKeyBytes } from './key-bytes.ts'
import { startOneBehind } from './machine.ts'
import { pathWith } from './tool-shims.ts'

let machine: Instance
let next: Ring
beforeEach(async () => {
  ;[machine, next] = await startOneBehind('haproxy')
})
afterEach(() => machine.stop())

const within = (script: string) => ['sh', '-c', script, 'sh']

describe('a core', () => {
  test('of a run that is ended by SIGQUIT is not left, whatever limit it was started with', async () => {
    const scratch = join(machine.terminator.directory, 'scratch')
    mkdirSync(scratch)
    let seen = { limits: '', filter: '' }
    let pid = 0
    machine.endpoint.onFetch = () => {
      seen = {
        limits: readFileSync(`/proc/${pid}/limits`, 'utf8'),
        filter: readFileSync(`/proc/${pid}/coredump_filter`, 'utf8').trim(),
      }
      process.kill(pid, 'SIGQUIT')
    }
    const run = machine.begin({ prefix: ['env', '-C', scratch, 'prlimit', '--core=unlimited'] })
    pid = run.pid
    expect((await run.ended).code).toBe(null)
    expect(seen.limits).toMatch(/^Max core file size +0 +0 /m)
    // A core that goes to a program is not bound by that limit, but holds no memory.
    expect(seen.filter).toBe('00000000')
    expect(readdirSync(scratch)).toEqual([])
  })
})

describe('a program that a run starts', () => {
  test('has its input and its output, and nothing that a parent left open', async () => {
    const { directory } = machine.terminator
    const open = join(directory, 'open')
    const prefix = ['sh', '-c', 'exec "$@" 7</etc/hostname', 'sh']
    // The shell reads its script by a descriptor of its own.
    const body = `find /proc/$$/fd -lname /etc/hostname >>${open}; echo asked >>${open}\nexec $real "$@"`
    const environment = { PATH: pathWith(directory, 'openssl', body) }
    expect((await machine.run({ prefix, environment })).line.result).toBe('applied')
    expect(new Set(readFileSync(open, 'utf8').trim().split('\n'))).toEqual(new Set(['asked']))
  })
})

describe('the environment', () => {
  test('has no say over Python or openssl', async () => {
    const { directory } = machine.terminator
    const evil = join(directory, 'evil')
    mkdirSync(evil)
    for (const name of ['re', 'json', 'ticketring', 'sitecustomize', 'usercustomize'])
      writeFileSync(
        join(evil, `${name}.py`),
        `open(${JSON.stringify(join(directory, 'ran'))}, "w")\nraise SystemExit(0)\n`,
      )
    writeFileSync(join(evil, 'openssl.cnf'), 'openssl_conf = x\n[x]\nengines = y\n[y]\nz = z\n')
    const keyLog = join(directory, 'keylog')
    const environment = {
      PYTHONPATH: evil,
      PYTHONHOME: evil,
      PYTHONSTARTUP: join(evil, 're.py'),
      PYTHONDONTWRITEBYTECODE: '',
      PYTHONINSPECT: '1',
      PYTHONUSERBASE: evil,
      PYTHONFAULTHANDLER: '1',
      OPENSSL_CONF: join(evil, 'openssl.cnf'),
      OPENSSL_MODULES: evil,
      OPENSSL_ENGINES: evil,
      SSLKEYLOGFILE: keyLog,
      LC_ALL: 'tr_TR.UTF-8',
      IFS: '/',
      BASH_ENV: join(evil, 're.py'),
    }
    const log = join(directory, 'trace')
    const prefix = [
      'strace',
      '-f',
      '--seccomp-bpf',
      '-q',
      '-v',
      '-s',
      '4096',
      '-e',
      'trace=execve',
      '-o',
      log,
    ]
    const { line } = await machine.run({ environment, prefix })
    expect(line).toMatchObject({ result: 'applied', generation: 2 })
    expect([existsSync(join(directory, 'ran')), existsSync(keyLog)]).toEqual([false, false])
    const children = readFileSync(log, 'utf8')
      .split('\n')
      .filter((each) => each.includes('s_client') && each.includes(' = 0'))
    expect(children.length).toBeGreaterThan(0)
    for (const child of children) expect(child).toMatch(/\], \["PATH=[^"]*", "LC_ALL=C"\]\) = 0/)
  })
})

describe('what cannot be printed', () => {
  test.each([
    ['a standard output that is full', 'exec "$@" >/dev/full'],
    ['a closed standard output', 'exec "$@" >&-'],
    ['all of them closed', 'exec "$@" <&- >&- 2>&-'],
    ['a reader that has gone', '"$@" | true; exit 1'],
  ])('is a failure: %s', async (_, script) => {
    const run = await machine.run({ prefix: within(script) })
    expect(run.code).toBe(1)
    expect(run.stderr).not.toContain('Traceback')
    // What was to be printed went into no file of the machine.
    const files = ['lock', 'state'].map((name) => readFileSync(join(machine.runDirectory, name), 'utf8'))
    expect(files.join('')).not.toContain('"v":')
    expect((await machine.run()).line).toMatchObject({ result: 'unchanged', generation: 2 })
  })

  test('on a closed standard error is lost, and the line stands', async () => {
    machine.set('HAPROXY_OWNER=unknown-user')
    const run = await machine.run({ prefix: within('exec "$@" 2>&-') })
    expect({ code: run.code, ...run.line }).toMatchObject({ code: 1, error: 'write-failed' })
  })
})

describe('an exception that is not foreseen', () => {
  test.each([6, 7, 8, 9, 10, 11, 12])('becomes a coded line: at most %i open files', async (most) => {
    const run = await machine.run({ prefix: ['prlimit', `--nofile=${most}`] })
    expect(run.stderr).not.toContain('Traceback')
    expect(findKeyBytes(Buffer.from(run.stdout + run.stderr), [next])).toBe(0)
    const line = parseResultLine(run.stdout)
    if (run.code === 0) expect(line.result).toBe('applied')
    else expect({ code: run.code, result: line.result }).toEqual({ code: 1, result: 'failed' })
  })

  test.each([24, 28, 32, 40])('becomes a coded line: at most %i MB of memory', async (most) => {
    const run = await machine.run({ prefix: ['prlimit', `--as=${most * 1_048_576}`] })
    expect(run.stderr).not.toContain('Traceback')
    expect(findKeyBytes(Buffer.from(run.stdout + run.stderr), [next])).toBe(0)
    const line = parseResultLine(run.stdout)
    if (run.code === 0) expect(line.result).toBe('applied')
    else expect({ code: run.code, result: line.result }).toEqual({ code: 1, result: 'failed' })
  })
})
