/** A document installs the program that it carries, and runs it. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { buildProgram } from '../../infra/program/program.ts'
import { programFor } from '../../infra/program/selection.ts'
import { parseResultLine } from '../../lambda/ring/result-line.ts'
import { EXAMPLE_KINDS } from '../infra/app/example.ts'
import { holdLock, waitFor, waitsForLock } from './library-lock.ts'
import { altered } from './program.ts'
import { BareMachine, ringText, standIn, staplesText } from './stand-in.ts'
import { tmpfsDirectory } from './terminators.ts'
import { mountSmall, pathWithout, unmount } from './tool-shims.ts'

const scratch = tmpfsDirectory()
afterAll(() => rmSync(scratch, { recursive: true }))

const A = standIn(scratch, 'a')
const B = standIn(scratch, 'b')
const C = standIn(scratch, 'c')
const TAG = execFileSync('/usr/bin/python3', ['-c', 'import sys; print(sys.implementation.cache_tag)'])
const COMPILED = `ticketring.${TAG.toString().trim()}.pyz`

let machine: BareMachine
let machines = 0
beforeEach(() => {
  machines += 1
  machine = new BareMachine(join(scratch, `machine-${machines}`))
})

const programFile = (hash: string) => join(machine.library, hash, 'ticketring.pyz')
const versions = () => readdirSync(machine.library).filter((name) => /^[0-9a-f]{64}$/.test(name))

/** Every file of the library with what a change of it would change. */
function library(): readonly string[] {
  const names = readdirSync(machine.library, { recursive: true }).map(String).sort()
  return names.map((name) => {
    const { ino, mode, mtimeMs, ctimeMs } = lstatSync(join(machine.library, name))
    return [name, ino, mode.toString(8), mtimeMs, ctimeMs].join(' ')
  })
}

describe('on a machine that has none', () => {
  test('the program is installed and runs with what the document says', () => {
    const told = machine.output(ringText(A))
    expect(told).toMatchObject({ version: 'a', stdin: '/dev/null' })
    const file = join(machine.library, A.hash, COMPILED)
    expect(told.main).toBe(join(file, 'ticketring', '__main__.pyc'))
    expect(told.argv).toEqual([file, 'ring', 'edge'])
    expect(told.given).toMatchObject({ SSM_Generation: '7', TICKETRING_SCRIPT: A.version })
    expect(readFileSync(programFile(A.hash)).equals(A.zipapp)).toBe(true)
    expect(readlinkSync(join(machine.library, 'current-ring'))).toBe(A.hash)
    const conf = readFileSync(join(machine.library, 'edge.conf'), 'utf8')
    expect(conf).toBe(`# ${A.hash}\n${told.given.TICKETRING_SETTINGS}`)
    expect(told.given.TICKETRING_SETTINGS).toMatch(
      /^SECRET=ticketring\/edge\n(\w+=.*\n)+TICKET_LIFETIME=7200\n(\w+=.*\n)*$/,
    )
  })

  test('its settings and its directories are for all to read and for root alone to write', () => {
    machine.run(ringText(A), {}, ['sh', '-c'])
    const modes = ['.', A.hash, `${A.hash}/ticketring.pyz`, `${A.hash}/${COMPILED}`, 'edge.conf'].map(
      (name) => (lstatSync(join(machine.library, name)).mode & 0o7777).toString(8),
    )
    expect(modes).toEqual(['755', '755', '755', '644', '644'])
  })

  test("a set's settings stand beside a ring's, and it runs under its own name", () => {
    machine.run(ringText(A))
    const { argv, given } = machine.output(staplesText(A), { SSM_Staples: 'all' })
    expect(argv.slice(1)).toEqual(['staples', 'web'])
    expect(given.SSM_Staples).toBe('all')
    const conf = readFileSync(join(machine.library, 'web.staples.conf'), 'utf8')
    expect(conf).toBe(`# ${A.hash}\n${given.TICKETRING_SETTINGS}`)
    expect(existsSync(join(machine.library, 'edge.conf'))).toBe(true)
  })

  test('what came last of a ring and of a set has a link each', () => {
    machine.run(ringText(A))
    machine.run(staplesText(B), { SSM_Staples: 'all' })
    const [ring, staples] = ['ring', 'staples'].map((each) =>
      readlinkSync(join(machine.library, `current-${each}`)),
    )
    expect({ ring, staples }).toEqual({ ring: A.hash, staples: B.hash })
  })

  test.each([
    ['a hybrid machine', 'mi-0123456789abcdef0', ['REGION=eu-central-1']],
    ['one of EC2, whose metadata tell it', 'i-0123456789abcdef0', []],
  ])('the Region that the agent tells is kept for the boots of %s', (_, AWS_SSM_INSTANCE_ID, wanted) => {
    const agent = { AWS_SSM_INSTANCE_ID, AWS_SSM_REGION_NAME: 'eu-central-1' }
    const { given } = machine.output(ringText(A), agent)
    const conf = readFileSync(join(machine.library, 'edge.conf'), 'utf8')
    expect(conf).toBe(`# ${A.hash}\n${given.TICKETRING_SETTINGS}`)
    expect(conf.match(/^REGION=.*$/gm) ?? []).toEqual(wanted)
  })

  test('the generation is the text of an agent that knows no variables', () => {
    const text = ringText(A).replace('{{Generation}}', '12')
    const { SSM_Generation: _, ...environment } = machine.environment()
    const { stdout } = spawnSync('sh', ['-c', machine.file(text)], { env: environment, encoding: 'utf8' })
    expect(JSON.parse(stdout).given.SSM_Generation).toBe('12')
  })

  test.each(['dash', 'bash', 'busybox sh'])('%s does what sh does', (shell) => {
    const { stdout } = machine.run(ringText(A), {}, shell.split(' '))
    expect(JSON.parse(stdout)).toMatchObject({ version: 'a', argv: [expect.anything(), 'ring', 'edge'] })
  })

  test('the exit code is the program’s', () => {
    const failing = standIn(scratch, 'failing', 'EXIT = 1\n')
    expect(machine.run(ringText(failing)).status).toBe(1)
    expect(machine.run(ringText(A)).status).toBe(0)
  })

  test('the real program says what is wrong with this machine', () => {
    const environment = { TICKETRING_CONF_DIR: machine.directory, AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }
    const { stdout, status } = machine.run(ringText(buildProgram()), environment)
    expect(parseResultLine(stdout)).toMatchObject({
      ring: 'edge',
      result: 'failed',
      script: programFor('ring', buildProgram(), EXAMPLE_KINDS).version,
    })
    expect(status).toBe(1)
  })

  test.each(['NGINX_KEYS=/run/nginx-keys', 'SERVER=nginx'])(
    'a file of the machine with %s, a kind of server that the ring does not name, is refused with what to do',
    (setting) => {
      const directory = join(machine.directory, 'conf')
      mkdirSync(directory)
      writeFileSync(join(directory, 'edge.conf'), `${setting}\n`)
      const environment = { TICKETRING_CONF_DIR: directory, AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }
      const { stdout } = machine.run(ringText(buildProgram(), ['haproxy']), environment)
      const line = parseResultLine(stdout)
      expect(line.error).toBe('config-invalid')
      expect(line.detail).toContain('a kind in `servers`')
      expect(line.detail).toContain(setting.split('=')[setting.startsWith('SERVER') ? 1 : 0])
      // The ring that names it gets past that, to what is wrong with this machine.
      expect(parseResultLine(machine.run(ringText(buildProgram()), environment).stdout).detail).not.toContain(
        '`servers`',
      )
    },
  )

  test('boot units run what was delivered', () => {
    machine.run(ringText(A))
    const program = join(machine.library, 'current-ring', 'ticketring.pyz')
    const { stdout } = spawnSync(program, ['ring', '--boot', 'edge'], { env: {}, encoding: 'utf8' })
    expect(JSON.parse(stdout)).toMatchObject({ version: 'a', argv: [program, 'ring', '--boot', 'edge'] })
  })
})

describe("State Manager's run of a document", () => {
  const keeping = (text: string) => text.replace('{{Program}}', 'keep')
  const other = ringText(B).replace('TICKET_LIFETIME=7200', 'TICKET_LIFETIME=3600')

  test('repairs by the program and the settings that a command brought, whatever the document carries', () => {
    const first = machine.output(ringText(A))
    const before = library()
    const { version, given, argv } = machine.output(keeping(other))
    const file = join(machine.library, A.hash, COMPILED)
    expect({ version, argv }).toEqual({ version: 'a', argv: [file, 'ring', 'edge'] })
    expect(given).toEqual({ ...first.given, SSM_Program: 'keep' })
    expect(library()).toEqual(before)
  })

  test('brings the document to a machine that has none for this ring', () => {
    machine.run(staplesText(A), { SSM_Staples: 'all' })
    expect(machine.output(keeping(ringText(B))).version).toBe('b')
    expect(readFileSync(join(machine.library, 'edge.conf'), 'utf8')).toMatch(`# ${B.hash}\n`)
    expect(machine.output(keeping(staplesText(C)), { SSM_Staples: 'all' }).version).toBe('a')
  })

  test('takes up what the next command brings', () => {
    machine.run(ringText(A))
    machine.run(other)
    expect(machine.output(keeping(ringText(A))).version).toBe('b')
    expect(readFileSync(join(machine.library, 'edge.conf'), 'utf8')).toContain('TICKET_LIFETIME=3600')
  })

  test('runs what a command brings while it waits for its turn', async () => {
    machine.run(ringText(A))
    const conf = join(machine.library, 'edge.conf')
    const aside = join(machine.library, 'aside')
    renameSync(conf, aside)
    const holder = await holdLock(machine)
    const run = machine.begin(keeping(ringText(B)))
    await waitFor(() => waitsForLock(machine, run.pid))
    renameSync(aside, conf)
    holder.kill()
    expect(JSON.parse((await run.ended).stdout).version).toBe('a')
    expect(readlinkSync(join(machine.library, 'current-ring'))).toBe(A.hash)
  })

  test('runs on with a program that commands have replaced meanwhile', async () => {
    const slow = standIn(
      scratch,
      'slow-to-repair',
      'if os.environ["SSM_Program"] == "keep":\n import time\n open(os.environ["HOME"] + "/runs", "w")\n time.sleep(600)\n',
    )
    machine.run(ringText(slow))
    const running = machine.begin(keeping(ringText(A)))
    await waitFor(() => existsSync(join(machine.directory, 'runs')))
    for (const program of [A, B, C]) expect(machine.run(ringText(program)).status).toBe(0)
    expect(versions()).toContain(slow.hash)
    process.kill(running.pid, 'SIGKILL')
    await running.ended
    machine.run(ringText(C))
    expect(versions()).not.toContain(slow.hash)
  })

  test.each<[string, () => void]>([
    ['removed', () => rmSync(join(machine.library, A.hash), { recursive: true })],
    ['cut short', () => truncateSync(programFile(A.hash), 100)],
    ['changed', () => appendFileSync(programFile(A.hash), 'x')],
    ['without its settings', () => rmSync(join(machine.library, 'edge.conf'))],
    ['named by nothing', () => writeFileSync(join(machine.library, 'edge.conf'), 'SECRET=x\n')],
  ])('brings its own where the program was %s', (_, spoil) => {
    machine.run(ringText(A))
    spoil()
    expect(machine.output(keeping(ringText(B))).version).toBe('b')
  })
})

describe('on a machine of two rings whose documents bring different versions', () => {
  const newer = programFor('ring', buildProgram(), EXAMPLE_KINDS)
  const older = programFor(
    'ring',
    buildProgram(altered(scratch, 'ring.py', 'TICKET_LIFETIME ', 'TICKET_LIFE     ')),
    EXAMPLE_KINDS,
  )

  /** What the boot of the first ring says. */
  function boot() {
    const environment = { TICKETRING_CONF_DIR: machine.directory, AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }
    const program = join(machine.library, 'current-ring', 'ticketring.pyz')
    const words = ['-IS', program, 'ring', '--boot', 'edge']
    return parseResultLine(
      spawnSync('/usr/bin/python3', words, { env: environment, encoding: 'utf8' }).stdout,
    )
  }

  beforeEach(() => {
    const environment = { TICKETRING_CONF_DIR: machine.directory, AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }
    machine.run(ringText(newer), environment)
    machine.run(ringText(older).replaceAll('edge', 'api'), environment)
    expect(readlinkSync(join(machine.library, 'current-ring'))).toBe(older.hash)
  })

  test('a boot runs the version that brought the settings, though another came since', () => {
    const { script, detail } = boot()
    expect(script).toBe(newer.version)
    expect(detail).not.toContain('TICKET_LIFETIME')
  })

  test.each([
    ['is not kept any more', () => rmSync(join(machine.library, newer.hash), { recursive: true })],
    [
      'is a link now',
      () => {
        rmSync(join(machine.library, newer.hash), { recursive: true })
        symlinkSync(older.hash, join(machine.library, newer.hash))
      },
    ],
  ])('a boot whose version %s runs what came last', (_, change) => {
    change()
    expect(boot()).toMatchObject({
      script: older.version,
      error: 'config-invalid',
      detail: expect.stringContaining('TICKET_LIFETIME'),
    })
  })
})

describe('on a machine that has it', () => {
  test('nothing is written', () => {
    machine.run(ringText(A))
    const before = library()
    expect(machine.output(ringText(A)).version).toBe('a')
    expect(library()).toEqual(before)
  })

  test('a full disk does not stop it', () => {
    mountLibrary()
    try {
      machine.run(ringText(A))
      fill(machine.library)
      expect(machine.output(ringText(A)).version).toBe('a')
    } finally {
      unmount(machine.library)
    }
  })

  test('a new version takes over, the one before stays, and an older one goes', () => {
    for (const program of [A, B])
      expect(machine.output(ringText(program)).version).toBe(program === A ? 'a' : 'b')
    expect(versions().sort()).toEqual([A.hash, B.hash].sort())
    expect(machine.output(ringText(C)).version).toBe('c')
    expect(versions().sort()).toEqual([B.hash, C.hash].sort())
    expect(readlinkSync(join(machine.library, 'current-ring'))).toBe(C.hash)
  })

  test('the one before is the one that was current last, also after a way back', () => {
    for (const program of [A, B, A, C]) machine.run(ringText(program))
    expect(versions().sort()).toEqual([A.hash, C.hash].sort())
  })

  test('a version that settings name stays, however many came since, and goes once none name it', () => {
    const other = (program: typeof A) =>
      ringText(program).replace('run("ring", "edge"', 'run("ring", "inner"')
    machine.run(ringText(A))
    for (const program of [B, C]) machine.run(other(program))
    expect(versions().sort()).toEqual([A.hash, B.hash, C.hash].sort())
    for (const program of [B, C]) machine.run(ringText(program))
    expect(versions().sort()).toEqual([B.hash, C.hash].sort())
  })

  test('settings whose name is as long as a hash are no version', () => {
    const name = 'e'.repeat(64 - '.conf'.length)
    for (const program of [A, B]) {
      const text = ringText(program).replace('run("ring", "edge"', `run("ring", "${name}"`)
      expect(machine.run(text)).toMatchObject({ status: 0, stderr: '' })
    }
    expect(readdirSync(machine.library)).toContain(`${name}.conf`)
    expect(versions().sort()).toEqual([A.hash, B.hash].sort())
  })

  test('of an old version nothing goes but what is ours', () => {
    machine.run(ringText(A))
    writeFileSync(join(machine.library, A.hash, 'notes.txt'), '')
    const elsewhere = join(machine.directory, 'elsewhere')
    mkdirSync(elsewhere)
    writeFileSync(join(elsewhere, 'ticketring.pyz'), '')
    symlinkSync(elsewhere, join(machine.library, '0'.repeat(64)))
    for (const program of [B, C]) expect(machine.run(ringText(program)).status).toBe(0)
    expect(readdirSync(join(machine.library, A.hash))).toEqual(['notes.txt'])
    expect(readdirSync(elsewhere)).toEqual(['ticketring.pyz'])
  })

  test('an old version that still runs stays until it has ended', async () => {
    const slow = standIn(
      scratch,
      'slow',
      'import sys\nprint("runs", flush=True)\nimport time\ntime.sleep(600)\n',
    )
    const running = machine.begin(ringText(slow))
    await waitFor(() => existsSync(join(machine.library, 'edge.conf')))
    for (const program of [A, B, C]) expect(machine.run(ringText(program)).status).toBe(0)
    expect(versions()).toContain(slow.hash)
    process.kill(running.pid, 'SIGKILL')
    await running.ended
    machine.run(ringText(C))
    expect(versions()).not.toContain(slow.hash)
  })

  test.each([
    ['cut short', () => truncateSync(programFile(A.hash), 1000)],
    ['another text', () => writeFileSync(programFile(A.hash), '#!/bin/sh\necho foreign\n')],
    ['one that another user could have written', () => chmodSync(programFile(A.hash), 0o666)],
    ['compiled and cut short', () => truncateSync(join(machine.library, A.hash, COMPILED), 100)],
    ['compiled and changed', () => appendFileSync(join(machine.library, A.hash, COMPILED), 'x')],
    [
      'settings that an operator changed',
      () => writeFileSync(join(machine.library, 'edge.conf'), 'SECRET=other\n'),
    ],
    ['what a run left that was killed', () => writeFileSync(join(machine.library, A.hash, '.new'), 'half')],
    ['one that is gone', () => rmSync(programFile(A.hash))],
  ])('what is damaged there is made anew: %s', (_, damage) => {
    machine.run(ringText(A))
    damage()
    expect(machine.output(ringText(A)).version).toBe('a')
    expect(readFileSync(programFile(A.hash)).equals(A.zipapp)).toBe(true)
    expect(lstatSync(programFile(A.hash)).mode & 0o777).toBe(0o755)
    expect(readFileSync(join(machine.library, 'edge.conf'), 'utf8')).toContain('SECRET=ticketring/edge\n')
  })

  test('a file that has another name elsewhere is replaced, not written into', () => {
    machine.run(ringText(A))
    const elsewhere = join(machine.directory, 'elsewhere')
    writeFileSync(elsewhere, 'kept')
    rmSync(programFile(A.hash))
    linkSync(elsewhere, programFile(A.hash))
    expect(machine.output(ringText(A)).version).toBe('a')
    expect(readFileSync(elsewhere, 'utf8')).toBe('kept')
  })
})

describe('where the machine is an odd one', () => {
  test('one with a read-only root installs below /run', () => {
    mkdirSync(machine.library)
    const look = 'readlink /run/ticketring/lib/current-ring; ls -a "$TICKETRING_LIB"'
    const steps = [
      'mount -t tmpfs tmpfs /run',
      'mount --bind "$TICKETRING_LIB" "$TICKETRING_LIB"',
      'mount -o remount,ro,bind "$TICKETRING_LIB"',
      `sh -c ${machine.file(ringText(A))}`,
      look,
    ]
    const { stdout } = spawnSync('unshare', ['-m', 'sh', '-ec', steps.join('\n')], {
      env: machine.environment(),
      encoding: 'utf8',
    })
    const [line = '', ...rest] = stdout.trim().split('\n')
    expect(JSON.parse(line)).toMatchObject({ version: 'a' })
    expect(JSON.parse(line).argv[0]).toBe(`/run/ticketring/lib/${A.hash}/${COMPILED}`)
    expect(rest).toEqual([A.hash, '.', '..'])
  })

  test('one without room for the compiled program runs it as it came', () => {
    const large = standIn(scratch, 'large', `TABLE = [${'(1, 2, [3]), '.repeat(100)}]\n`)
    mountLibrary()
    try {
      const { main } = machine.output(ringText(large))
      expect(main).toBe(join(programFile(large.hash), 'ticketring', '__main__.py'))
    } finally {
      unmount(machine.library)
    }
  })

  test('one whose /usr/local is a read-only file system of its own installs below /run', () => {
    const { TICKETRING_LIB: _, ...env } = machine.environment()
    const steps = [
      'mount -t tmpfs tmpfs /run',
      'mount -t tmpfs -o ro tmpfs /usr/local',
      `sh ${machine.file(ringText(A))}`,
      'readlink /run/ticketring/lib/current-ring; ls -A /usr/local',
    ]
    const { stdout } = spawnSync('unshare', ['-m', 'sh', '-ec', steps.join('\n')], { env, encoding: 'utf8' })
    const [line = '', ...rest] = stdout.trim().split('\n')
    expect(JSON.parse(line).argv[0]).toBe(`/run/ticketring/lib/${A.hash}/${COMPILED}`)
    expect(rest).toEqual([A.hash])
  })

  test("a link of root's on the way is followed", () => {
    mkdirSync(join(machine.directory, 'var'))
    symlinkSync('./var/../var', join(machine.directory, 'usr'))
    const environment = { TICKETRING_LIB: join(machine.directory, 'usr', 'lib') }
    expect(machine.output(ringText(A), environment).version).toBe('a')
    expect(existsSync(join(machine.directory, 'var', 'lib', A.hash))).toBe(true)
  })

  test.each([
    ['in the path alone', '/usr/bin/python3', '/nonexistent/python3'],
    [
      'at the second place',
      '/usr/bin/python3 /usr/libexec/platform-python',
      '/nonexistent/python3 /usr/bin/python3',
    ],
  ])('one that has its Python %s', (_, was, is) => {
    expect(machine.output(ringText(A).replaceAll(was, is)).version).toBe('a')
  })

  test('one without Python says so', () => {
    const text = ringText(A).replaceAll('/usr/bin/python3', '/nonexistent/python3')
    const { stdout, status } = machine.run(text, { PATH: pathWithout(machine.directory, 'python3') })
    expect(parseResultLine(stdout)).toMatchObject({ error: 'tool-missing', script: A.version })
    expect(status).toBe(1)
  })

  test('variables that change Python have no say', () => {
    const modules = join(machine.directory, 'modules')
    mkdirSync(modules)
    const reads = `open(${JSON.stringify(join(machine.directory, 'read'))}, "w")\n`
    for (const name of ['hashlib', 'bz2', 'json', 'sitecustomize', 'start'])
      writeFileSync(join(modules, `${name}.py`), reads)
    const told = machine.output(ringText(A), {
      PYTHONPATH: modules,
      PYTHONSTARTUP: join(modules, 'start.py'),
      PYTHONHOME: '/nonexistent',
      PYTHONINSPECT: '1',
      PYTHONOPTIMIZE: '2',
      PYTHONPYCACHEPREFIX: modules,
      PYTHONWARNINGS: 'error',
      SSLKEYLOGFILE: join(machine.directory, 'secrets'),
    })
    expect(told.version).toBe('a')
    expect(existsSync(join(machine.directory, 'read'))).toBe(false)
    expect(existsSync(join(machine.directory, 'secrets'))).toBe(false)
  })

  test('two documents that come at once both install', async () => {
    const texts = [A, B, A, B, A, B].map((program) => machine.begin(ringText(program)))
    const ended = await Promise.all(texts.map((each) => each.ended))
    expect(ended.map(({ stdout }) => JSON.parse(stdout).version)).toEqual(['a', 'b', 'a', 'b', 'a', 'b'])
    for (const program of [A, B])
      expect(readFileSync(programFile(program.hash)).equals(program.zipapp)).toBe(true)
    expect(readdirSync(machine.library).sort()).toEqual(
      ['.lock', 'current-ring', 'edge.before', 'edge.conf', A.hash, B.hash].sort(),
    )
  })
})

/** A library on a file system of a few kilobytes. */
function mountLibrary(): void {
  mkdirSync(machine.library)
  if (!mountSmall(machine.library)) throw new Error('this test mounts a tmpfs: run it as root')
  chmodSync(machine.library, 0o755)
}

/** Takes all the room that is left. */
function fill(directory: string): void {
  const file = join(directory, 'filling')
  spawnSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=4096'], { stdio: 'ignore' })
}
