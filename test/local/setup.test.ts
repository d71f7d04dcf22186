import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  announcement,
  isInstalled,
  type LockFile,
  missingRequirements,
  nodeProblem,
  packagesOf,
  REQUIREMENTS,
  refusal,
} from '../../bin/requirements.mjs'
import { TERMINATORS } from '../../local/rehearsal/machines/kinds.ts'
import { requireInstalled } from '../../local/rehearsal/machines/required-servers.ts'

/** A process that is started by a name in the source. */
const START = /\b(?:spawn|spawnSync|execFile|execFileSync)\(\s*'([\w./-]+)'/g
const NPM = ['node', 'npm', 'npx', 'node_modules/.bin/biome']
/** From packages that Debian never leaves out: essential, or of priority required. */
const BASE = [
  ...['sh', 'dash', 'ls', 'find', 'sha256sum', 'tar', 'dpkg', 'dd', 'id', 'chown', 'mkfifo', 'mknod'],
  ...['setpriv', 'mount', 'umount', 'unshare'],
]
/** Their tests run where they are installed. */
const WHERE_INSTALLED = ['moto_server', 'cfn-lint']

const has =
  (...commands: string[]) =>
  (command: string) =>
    commands.includes(command)

function thrownBy(act: () => void): unknown {
  try {
    act()
    return undefined
  } catch (error) {
    return error
  }
}

describe('system packages', () => {
  it('a machine with every command misses nothing', () => {
    expect(missingRequirements(() => true)).toEqual([])
  })

  it('names exactly the commands that are missing, with the package of each once', () => {
    const without = (command: string) => command !== 'flock' && command !== 'haproxy'
    const missing = missingRequirements(without)
    expect(missing.map(({ command }) => command)).toEqual(['haproxy', 'flock'])
    expect(packagesOf([...missing, ...missing])).toEqual(['haproxy', 'util-linux'])
  })

  it('misses a command without a file that belongs to it, in whichever of its places', () => {
    const without = (word: string) => (command: string) => !command.includes(word)
    expect(missingRequirements(without('mod_openssl')).map(({ command }) => command)).toEqual(['lighttpd'])
    expect(missingRequirements(without('lib64'))).toEqual([])
  })

  it('says which commands it installs, from which package and for what, before it does', () => {
    const said = announcement(missingRequirements((command) => command !== 'flock'))
    expect(said).toContain('flock (package util-linux): ')
    expect(said).toContain('no daemon is started')
    expect(said).not.toContain('haproxy')
  })

  it('where it cannot install, one message holds the obstacle, every missing command and a way for each system', () => {
    const missing = missingRequirements(has('openssl', 'curl'))
    const said = refusal(missing, 'this system has no apt')
    expect(said).toContain('this system has no apt')
    for (const { command } of missing) expect(said).toContain(`  ${command}: `)
    expect(said).not.toContain('  curl: ')
    expect(said).toMatch(/Debian, Ubuntu: sudo apt-get install .*haproxy nginx .*shellcheck/)
    expect(said).toMatch(/Fedora, RHEL: sudo dnf install .*ShellCheck/)
    expect(said).toMatch(/Arch: sudo pacman -S .*\bpython\b/)
    expect(said).toContain('docker build')
  })

  it('npm start alone misses nothing that only the tests or another fleet need', () => {
    const missing = missingRequirements(
      () => false,
      ({ start }) => start === true,
    )
    expect(packagesOf(missing)).toEqual(['haproxy', 'nginx', 'openssl', 'python3', 'strace'])
  })

  it('a rehearsal says which package brings the servers of its fleet that are not installed', () => {
    const empty = mkdtempSync(join(tmpdir(), 'ticketring-test-'))
    onTestFinished(() => rmSync(empty, { recursive: true }))
    const missing = thrownBy(() => requireInstalled({ haproxy: 0, trafficserver: 2, h2o: 1 }, empty))
    expect(missing).toMatchObject({
      message: 'The fleet needs what is not installed: h2o, traffic_manager',
      next: expect.stringMatching(
        /npm run setup .*apt-get install --no-install-recommends h2o trafficserver$/,
      ),
    })
    writeFileSync(join(empty, 'h2o'), '', { mode: 0o755 })
    expect(thrownBy(() => requireInstalled({ h2o: 1 }, empty))).toBeUndefined()
  })

  it('every kind of server is a requirement', () => {
    const commands = REQUIREMENTS.map(({ command }) => command)
    for (const { needs } of Object.values(TERMINATORS)) expect(commands).toContain(needs)
  })

  it('every requirement says who needs it', () => {
    for (const { why } of REQUIREMENTS) expect(why).not.toBe('')
  })

  it('are all that tests and rehearsal start by name, beside npm, the base system and what is asked for first', () => {
    const started = ['test', 'local'].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts'))
        .flatMap((file) => [...readFileSync(join(folder, file), 'utf8').matchAll(START)])
        .map(([, command = '']) => command.replace(/^\/usr\/bin\//, '')),
    )
    const known = [...REQUIREMENTS.map(({ command }) => command), ...NPM, ...BASE, ...WHERE_INSTALLED]
    expect(started).toContain('systemd-analyze')
    expect([...new Set(started)].filter((command) => !known.includes(command))).toEqual([])
  })
})

describe('Node', () => {
  it.each(['20.12.0', '20.20.2', '22.0.0', '24.1.0'])('%s is recent enough', (version) => {
    expect(nodeProblem(version, '>=20.12')).toBeUndefined()
  })

  it.each(['20.11.9', '18.20.0', '8.0.0'])('%s is refused with the version that is needed', (version) => {
    expect(nodeProblem(version, '>=20.12')).toMatch(/Node >=20\.12 is needed; this is /)
  })
})

describe('npm packages', () => {
  const wanted: LockFile = {
    packages: {
      '': { version: '0.1.0' },
      'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
      'node_modules/elsewhere': { version: '1.0.0', integrity: 'sha512-e', optional: true },
    },
  }
  const installed = (version: string): LockFile => ({
    packages: { 'node_modules/a': { version, integrity: 'sha512-a' } },
  })

  it('are complete when all but other platforms’ packages are there', () => {
    expect(isInstalled(wanted, installed('1.0.0'))).toBe(true)
  })

  it('are outdated when one has another version, is missing, or the installation was cut short', () => {
    expect(isInstalled(wanted, installed('0.9.0'))).toBe(false)
    expect(isInstalled(wanted, { packages: {} })).toBe(false)
    expect(isInstalled(wanted, undefined)).toBe(false)
  })
})

describe('bin/setup.mjs', () => {
  it('prints nothing with --quiet where everything is there', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['bin/setup.mjs', '--quiet'], {
      encoding: 'utf8',
    })
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  it.each(['--help', '-h'])('says with %s what it does, and does nothing', (word) => {
    const { status, stdout } = spawnSync(process.execPath, ['bin/setup.mjs', word], { encoding: 'utf8' })
    expect(status).toBe(0)
    expect(stdout).toMatch(/^Usage: npm run setup/)
  })

  it('refuses an option it does not know', () => {
    const { status, stderr } = spawnSync(process.execPath, ['bin/setup.mjs', '--force'], { encoding: 'utf8' })
    expect(status).toBe(1)
    expect(stderr).toContain('Unknown option --force')
  })
})

describe('npm', () => {
  // It starts a shell, which would keep a signal for itself, and tsx's own command kills what does not answer one within
  // 30 ms: either would leave a fleet with its keys behind.
  it.each(['start', 'test', 'bench'])('hands its signals on to what npm run %s starts', (name) => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
    expect(scripts[name]).toMatch(/&& exec (vitest|node --import tsx) [^&;]+$/)
  })
})
