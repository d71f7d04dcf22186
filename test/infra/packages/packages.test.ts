import { execFileSync, spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildPackages } from '../../../infra/packages/build.ts'
import { type PackageContents, packageContents } from '../../../infra/packages/contents.ts'
import { buildDeb } from '../../../infra/packages/deb.ts'
import { buildRpm } from '../../../infra/packages/rpm.ts'
import { buildTarball } from '../../../infra/packages/tar.ts'
import { buildProgram } from '../../../infra/program/program.ts'

const contents = packageContents(buildProgram())
const { hash } = contents
const LIB = 'usr/local/lib/ticketring'

/** A later release, whose program has another hash. */
const LATER_HASH = 'f'.repeat(64)
const later: PackageContents = {
  ...packageContents({ ...buildProgram(), hash: LATER_HASH }),
  version: '0.2.0',
}

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ticketring-packages-'))
  mkdirSync(at('var/lib/dpkg/updates'), { recursive: true })
  writeFileSync(at('var/lib/dpkg/status'), '')
})
afterEach(() => rmSync(root, { recursive: true }))

const at = (path: string) => join(root, path)

/** Each tool keeps to the scratch root, with a database of its own, where nothing that a package needs is installed. */
const KINDS = [
  {
    kind: '.deb',
    build: buildDeb,
    install: (file: string) => dpkg('--force-depends', '--install', file),
    remove: () => dpkg('--purge', 'ticketring'),
  },
  {
    kind: '.rpm',
    build: buildRpm,
    install: (file: string) => rpm('--upgrade', '--nodeps', file),
    remove: () => rpm('--erase', 'ticketring'),
  },
  {
    kind: 'tarball',
    build: buildTarball,
    install: (file: string) => execFileSync('tar', ['-C', root, '-xzf', file], { stdio: 'pipe' }),
    remove: undefined,
  },
]

const LINKS = ['current-ring', 'current-staples']

function dpkg(...words: readonly string[]) {
  const own = [`--root=${root}`, '--log=/dev/null', '--force-not-root']
  execFileSync('dpkg', [...own, ...words], { stdio: 'pipe' })
}

function rpm(...words: readonly string[]) {
  execFileSync('rpm', ['--root', root, '--dbpath', '/var/lib/rpm', ...words], { stdio: 'pipe' })
}

function written({ name, data }: { readonly name: string; readonly data: Uint8Array }): string {
  writeFileSync(at(name), data)
  return at(name)
}

/** What ran, from where the boot units run it. */
function program(...words: readonly string[]) {
  const env = { PATH: '/usr/bin:/bin', TICKETRING_CONF_DIR: at('etc/ticketring') }
  return spawnSync(at(`${LIB}/current-ring/ticketring.pyz`), words, { env, encoding: 'utf8' })
}

/** Files and links, each with its mode and owner. */
function listing(): readonly string[] {
  const below = ['(', '-path', at('etc/*'), '-o', '-path', at('usr/*'), ')', '!', '-type', 'd']
  const lines = execFileSync('find', [root, ...below, '-printf', '%M %u %g %P\n'], { encoding: 'utf8' })
  return lines.trimEnd().split('\n').sort()
}

describe.each(KINDS)('the $kind', ({ build, install, remove }) => {
  it('installs into a root where the program runs', () => {
    install(written(build(contents)))
    const help = program('--help')
    expect([help.status, help.stdout]).toEqual([0, expect.stringContaining('ticketring ring')])
    writeFileSync(at('etc/ticketring/edge.conf'), 'SECRET=ticketring/edge\nUNHEARD=1\n')
    const { status, stdout } = program('ring', '--boot', 'edge')
    expect(JSON.parse(stdout)).toMatchObject({
      ring: 'edge',
      result: 'failed',
      error: 'config-invalid',
      script: hash.slice(0, 12),
    })
    expect(status).toBe(1)
  })

  it('installs what the boot units run', () => {
    install(written(build(contents)))
    for (const unit of readdirSync('agent/units').filter((name) => name.endsWith('.service'))) {
      const text = readFileSync(at(`usr/lib/systemd/system/${unit}`), 'utf8')
      const [, started = ''] = /^ExecStart=\S+ -IS (\S+\.pyz) /m.exec(text) ?? []
      expect(readFileSync(at(started)).equals(buildProgram().zipapp)).toBe(true)
    }
  })

  it('belongs to root, and no other user may write it', () => {
    install(written(build(contents)))
    const modes = contents.entries.filter(({ kind }) => kind !== 'directory').length
    expect(listing()).toHaveLength(modes)
    for (const line of listing()) expect(line).toMatch(/^(-rw-r--r--|-rwxr-xr-x|lrwxrwxrwx) root root /)
  })

  it("touches no owner's file when it is installed, followed by another or removed", () => {
    for (const folder of ['etc/ticketring', 'etc/systemd/system']) mkdirSync(at(folder), { recursive: true })
    const owned = ['etc/ticketring/edge.conf', 'etc/systemd/system/ticketring-boot@.service']
    const untouched = () => owned.map((path) => readFileSync(at(path), 'utf8'))
    for (const path of owned) writeFileSync(at(path), "the owner's")
    install(written(build(contents)))
    install(written(build(later)))
    for (const link of LINKS) expect(readlinkSync(at(`${LIB}/${link}`))).toBe(LATER_HASH)
    expect(untouched()).toEqual(owned.map(() => "the owner's"))
    if (remove === undefined) return
    expect(readdirSync(at(LIB)).sort()).toEqual([...LINKS, LATER_HASH].sort())
    remove()
    expect(untouched()).toEqual(owned.map(() => "the owner's"))
    expect(listing()).toHaveLength(owned.length)
  })
})

describe('packages', () => {
  it('are the same bytes in another time zone and under another umask', () => {
    const sumsOf = (umask: string, TZ: string) => {
      const directory = at(umask)
      const words = ['--import', 'tsx', 'infra/packages/main.ts', directory]
      execFileSync('sh', ['-c', `umask ${umask} && exec "$0" "$@"`, process.execPath, ...words], {
        env: { ...process.env, TZ },
        stdio: 'pipe',
      })
      return readFileSync(join(directory, 'SHA256SUMS'), 'utf8')
    }
    expect(sumsOf('077', 'Pacific/Kiritimati')).toBe(sumsOf('000', 'America/Los_Angeles'))
  })

  it('come with their checksums', () => {
    for (const file of buildPackages().files) written(file)
    const { status, stdout } = spawnSync('sha256sum', ['-c', 'SHA256SUMS'], { cwd: root, encoding: 'utf8' })
    expect({ status, files: stdout.match(/: OK$/gm) }).toMatchObject({ status: 0, files: { length: 3 } })
  })

  it('.rpm: its header and its payload match their digests', () => {
    const { stdout } = spawnSync('rpm', ['-K', '-v', written(buildRpm(contents))], { encoding: 'utf8' })
    expect(stdout.match(/digest: OK$/gm)).toHaveLength(3)
  })

  it.each(KINDS.slice(0, 2))('$kind: says what the machine must have', ({ kind, build }) => {
    const file = written(build(contents))
    const words = kind === '.deb' ? ['dpkg-deb', '-f', file, 'Depends'] : ['rpm', '-qpR', file]
    const [command = '', ...rest] = words
    const needs = execFileSync(command, rest, { encoding: 'utf8' })
    expect(needs).toMatch(/python3 \(?>= 3\.9/)
    expect(needs).toMatch(/openssl/)
  })
})
