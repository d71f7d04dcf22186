/** What a document does not install or run, and what it says instead. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { carriedOf } from '../../infra/program/payload.ts'
import { AGENT, buildProgram } from '../../infra/program/program.ts'
import { withoutRemarks } from '../../infra/program/python-source.ts'
import { parseResultLine } from '../../lambda/ring/result-line.ts'
import { parseStapleLine } from '../../lambda/staples/result-line.ts'
import { holdLock, waitFor, waitsForLock } from './library-lock.ts'
import { BareMachine, ringText, standIn, staplesText } from './stand-in.ts'
import { tmpfsDirectory } from './terminators.ts'
import { Fence, mountSmall, unmount } from './tool-shims.ts'

const scratch = tmpfsDirectory()
afterAll(() => rmSync(scratch, { recursive: true }))

const PROGRAM = standIn(scratch, 'a')
const TEXT = ringText(PROGRAM)
const OTHER_USER = 65_534

let machine: BareMachine
let machines = 0
beforeEach(() => {
  machines += 1
  machine = new BareMachine(join(scratch, `machine-${machines}`))
})

const programFile = () => join(machine.library, PROGRAM.hash, 'ticketring.pyz')

/** A run that must end in a failed line: the program itself prints another kind of line. */
function failureOf(text = TEXT, environment: Readonly<Record<string, string>> = {}) {
  const { stdout, status } = machine.run(text, environment)
  const line = parseResultLine(stdout)
  expect({ status, ring: line.ring, result: line.result, script: line.script }).toEqual({
    status: 1,
    ring: 'edge',
    result: 'failed',
    script: PROGRAM.version,
  })
  return line
}

describe('what was changed on its way', () => {
  const [start, end] = [TEXT.indexOf('", """\n') + 7, TEXT.lastIndexOf('\n""")')]
  const changedAt = (at: number) => `${TEXT.slice(0, at)}${TEXT[at] === 'A' ? 'B' : 'A'}${TEXT.slice(at + 1)}`
  const digits = /[0-9a-f]{64}/.exec(TEXT)?.index ?? 0

  test.each([
    ['at the head of the payload', changedAt(start)],
    ['within it', changedAt(Math.floor((start + end) / 2))],
    ['at its end', changedAt(end - 1)],
    ['by a digit too many', `${TEXT.slice(0, start)}0${TEXT.slice(start)}`],
    ['by its last digits', `${TEXT.slice(0, end - 40)}${TEXT.slice(end)}`],
    ['by a digit that is none', `${TEXT.slice(0, start)}\u007f${TEXT.slice(start + 1)}`],
    ['to nothing', `${TEXT.slice(0, start)}${TEXT.slice(end)}`],
    ['in its hash', `${TEXT.slice(0, digits)}${TEXT[digits] === '0' ? '1' : '0'}${TEXT.slice(digits + 1)}`],
  ])('does not run: %s', (_, text) => {
    expect(failureOf(text).error).toBe('program-damaged')
    expect(existsSync(machine.library)).toBe(false)
  })

  test('does not run either where the right one is installed', () => {
    machine.run(TEXT)
    expect(failureOf(changedAt(end - 1)).error).toBe('program-damaged')
  })

  test("is a line of a set's in a set's document", () => {
    const text = staplesText(PROGRAM).replace(/[0-9a-f]{64}/, '0'.repeat(64))
    const line = parseStapleLine(machine.run(text, { SSM_Staples: 'all' }).stdout)
    expect(line).toMatchObject({ staples: 'web', error: 'program-damaged', script: PROGRAM.version })
  })
})

describe('a machine that has next to nothing left says so in a result line', () => {
  const text = ringText(buildProgram())
  /** What a run says that may have no more than this, by the shell's own `ulimit`. */
  const under = (limit: string, shell: string) => {
    const environment = { TICKETRING_CONF_DIR: machine.directory, AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }
    const { stdout } = machine.run(text, environment, [shell, '-c', `ulimit ${limit}; exec ${shell} "$0"`])
    return parseResultLine(stdout)
  }

  // Python itself starts with 15 MB. Of an import that gets no memory it may say MemoryError, ValueError or SystemError.
  test.each([15.5, 15.9, 16, 16.5, 18, 20])('of memory: %f MB', (megabytes) => {
    expect(under(`-v ${megabytes * 1000}`, 'sh')).toMatchObject({
      error: 'internal-error',
      detail: expect.stringMatching(
        /^(wanted memory for the program, found too little|(Memory|Value|System)Error where the program begins)$/,
      ),
    })
  })

  test.each([4, 5, 6, 7, 8])('of descriptors: %i', (count) => {
    expect(under(`-n ${count}`, 'bash').result).toBe('failed')
  })
})

describe('something else in the place of the program', () => {
  const kinds: readonly (readonly [string, (path: string) => void])[] = [
    ['a directory', (path) => mkdirSync(path)],
    ['a link', (path) => symlinkSync('/etc/passwd', path)],
    ['a FIFO', (path) => spawnSync('mkfifo', [path])],
  ]
  const places = ['ticketring.pyz', '../edge.conf', '../.lock']

  test.each(kinds.flatMap(([kind, make]) => places.map((place) => ({ kind, place, make }))))(
    'is left alone, and nothing runs: $kind at $place',
    ({ make, place }) => {
      mkdirSync(dirname(programFile()), { recursive: true })
      make(join(dirname(programFile()), place))
      const { error, detail } = failureOf()
      expect(error).toBe('program-unsafe')
      expect(detail).toContain(place.replace('../', ''))
    },
  )

  test.each([
    ['a file', (path: string) => writeFileSync(path, '')],
    ['a link', (path: string) => symlinkSync('/etc', path)],
    ['a FIFO', (path: string) => spawnSync('mkfifo', [path])],
  ])('is left alone, and nothing runs: %s for the directory of a version', (_, make) => {
    mkdirSync(machine.library)
    make(join(machine.library, PROGRAM.hash))
    expect(failureOf().error).toBe('program-unsafe')
  })

  test.each([
    ['a file', (path: string) => writeFileSync(path, 'kept')],
    ['a directory', (path: string) => mkdirSync(path)],
  ])('is left alone, and nothing runs: %s named current-ring', (_, make) => {
    mkdirSync(machine.library)
    make(join(machine.library, 'current-ring'))
    expect(failureOf().error).toBe('program-unsafe')
  })
})

describe('a place where another user may write', () => {
  test.each([
    ['the library', 0o777, '.'],
    ['the library, sticky', 0o1777, '.'],
    ["the library, by its group's members", 0o775, '.'],
    ['a directory on the way', 0o777, '..'],
  ])('gets no program: %s', (_, mode, place) => {
    mkdirSync(machine.library)
    chmodSync(join(machine.library, place), mode)
    const { error, detail } = failureOf()
    expect(error).toBe('path-unsafe')
    expect(detail).toMatch(/chmod go-w/)
    expect(readdirSync(machine.library)).toEqual([])
  })

  test('gets no program: the directory of a version', () => {
    mkdirSync(dirname(programFile()), { recursive: true })
    chmodSync(dirname(programFile()), 0o777)
    expect(failureOf().error).toBe('path-unsafe')
    expect(readdirSync(dirname(programFile()))).toEqual([])
  })

  test('gets no program: a library that belongs to them', () => {
    mkdirSync(machine.library)
    chownSync(machine.library, OTHER_USER, OTHER_USER)
    expect(failureOf().error).toBe('path-unsafe')
  })

  test('gets no program: one that a link of theirs leads to', () => {
    const own = join(machine.directory, 'own')
    mkdirSync(own)
    symlinkSync(own, machine.library)
    lchownSync(machine.library, OTHER_USER, OTHER_USER)
    expect(failureOf().error).toBe('path-unsafe')
    expect(readdirSync(own)).toEqual([])
  })

  test.each(['lib', '/run/../etc/lib', '/dev/null'])('gets no program: TICKETRING_LIB as %s', (path) => {
    expect(failureOf(TEXT, { TICKETRING_LIB: path }).error).toMatch(/^(config-invalid|path-unsafe)$/)
  })

  test('links that lead nowhere are not followed for ever', () => {
    symlinkSync('lib', machine.library)
    expect(failureOf().error).toBe('path-unsafe')
  })
})

test('a full disk is said to be one, and nothing is left there', () => {
  mkdirSync(machine.library)
  if (!mountSmall(machine.library)) throw new Error('this test mounts a tmpfs: run it as root')
  try {
    chmodSync(machine.library, 0o755)
    spawnSync('dd', ['if=/dev/zero', `of=${join(machine.library, 'filling')}`, 'bs=4096'], {
      stdio: 'ignore',
    })
    expect(failureOf().error).toBe('disk-full')
    expect(existsSync(programFile())).toBe(false)
    expect(existsSync(join(machine.library, 'current-ring'))).toBe(false)
    rmSync(join(machine.library, 'filling'))
    expect(machine.output(TEXT).version).toBe('a')
  } finally {
    unmount(machine.library)
  }
})

test.each(['2>&-', '2>/dev/full'])(
  'a failure is a result line though nothing takes the remarks: %s',
  (redirection) => {
    mkdirSync(machine.library)
    writeFileSync(join(machine.library, 'current-ring'), '')
    const command = `sh ${machine.file(TEXT)} ${redirection}`
    const { stdout, status } = spawnSync('sh', ['-c', command], {
      env: machine.environment(),
      encoding: 'utf8',
    })
    expect(parseResultLine(stdout)).toMatchObject({ error: 'program-unsafe' })
    expect(status).toBe(1)
  },
)

describe('while another document is being installed', () => {
  test('a run that is told to stop says so', async () => {
    const holder = await holdLock(machine)
    const run = machine.begin(TEXT)
    await waitFor(() => waitsForLock(machine, run.pid))
    process.kill(run.pid, 'SIGTERM')
    const { code, stdout } = await run.ended
    holder.kill()
    expect(parseResultLine(stdout)).toMatchObject({ error: 'interrupted', ring: 'edge' })
    expect(code).toBe(1)
  })

  test('a run waits for its turn', async () => {
    const holder = await holdLock(machine)
    const run = machine.begin(TEXT)
    await waitFor(() => waitsForLock(machine, run.pid))
    expect(readdirSync(machine.library)).toEqual(['.lock'])
    holder.kill()
    expect(JSON.parse((await run.ended).stdout).version).toBe('a')
  })

  test('a run whose turn never comes says so', async () => {
    const holder = await holdLock(machine)
    const { installer } = carriedOf(PROGRAM, 'carried', 'ring')
    const call = `LOCK_SECONDS = 0\nmain('{"x":1', "ring", "edge", "", b"#" + b"0" * 64 + b"\\n#x.py\\n")\n`
    const { stdout } = spawnSync('/usr/bin/python3', ['-I', '-'], {
      input: installer.replaceAll('\nfrom .', '\n#') + call,
      env: machine.environment(),
      encoding: 'utf8',
    })
    holder.kill()
    expect(JSON.parse(stdout)).toMatchObject({ x: 1, error: 'busy' })
  })
})

describe('a Python that is too old', () => {
  /** Where pyenv keeps several; a machine that has none of them judges by the grammar alone. */
  const versions = join(process.env.PYENV_ROOT ?? join(homedir(), '.pyenv'), 'versions')
  const installed = existsSync(versions) ? readdirSync(versions) : []
  const old = installed
    .filter((version) => /^3\.[678]\./.test(version))
    .map((version) => join(versions, version, 'bin', 'python3'))

  test('reads what opens the payload', () => {
    const judge = 'import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 4))'
    const input = withoutRemarks(readFileSync(join(AGENT, 'open.py'), 'utf8'), 'open.py')
    expect(spawnSync('/usr/bin/python3', ['-I', '-c', judge], { input, encoding: 'utf8' }).stderr).toBe('')
  })

  test('says that it is, wherever there is one', () => {
    for (const python of old.filter(existsSync)) {
      const line = failureOf(TEXT.replaceAll('/usr/bin/python3', python))
      expect(line).toMatchObject({
        error: 'tool-missing',
        detail: expect.stringContaining('wanted Python 3.9'),
      })
    }
  })
})

describe('a document that is cut short runs nothing', () => {
  const fence = new Fence(scratch)

  test.each(['dash', 'bash', 'busybox sh', 'zsh', 'ksh', 'mksh'])('%s', (shell) => {
    const [command = '', ...options] = shell.split(' ')
    const lengths = Array.from({ length: TEXT.length }, (_, length) => length)
    const places = lengths.filter((at) => at % 257 === 3 || at > TEXT.length - 30)
    const ran = places.filter((at) => {
      const { status, stdout } = spawnSync(command, [...options, machine.file(TEXT.slice(0, at))], {
        env: { ...machine.environment(), PATH: fence.path },
        encoding: 'utf8',
      })
      return stdout !== '' || (status === 0 && at > 0) || existsSync(machine.library)
    })
    expect(ran).toEqual([])
    expect(fence.asked()).toEqual([])
  })

  test('and the whole one runs', () => {
    expect(machine.output(TEXT).version).toBe('a')
  })
})
