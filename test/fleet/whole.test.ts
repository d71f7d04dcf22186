/** Nothing of what runs on a machine runs by half, and nothing is removed there but what is its own. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parseConfiguration } from '../../infra/configuration.ts'
import { readContext } from '../../infra/context.ts'
import { readScript } from '../../infra/document.ts'
import { buildRingDocument } from '../../infra/ring-document.ts'
import { buildStapleDocument } from '../../infra/staple-document.ts'
import { SCRIPT } from './instance.ts'
import { tmpfsDirectory } from './terminators.ts'
import { Fence } from './tool-shims.ts'

const SHELLS = ['dash', 'bash', 'zsh', 'busybox sh', 'ksh', 'mksh']
/** Those in which the scripts do their work; the others are refused. */
const WORKING = ['dash', 'bash', 'busybox sh']
const SCRIPTS = ['apply-ring.sh', 'apply-staple.sh'] as const
const FLEET = dirname(SCRIPT)

const scratch = tmpfsDirectory()
const fence = new Fence(scratch)
afterAll(() => rmSync(scratch, { recursive: true }))

interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  readonly asked: readonly string[]
}

/** Runs a shell behind the fence. */
function run(shell: string, words: readonly string[], settings = ''): Ran {
  const [command = '', ...options] = shell.split(' ')
  const { status, stdout, stderr } = spawnSync(command, [...options, ...words], {
    encoding: 'utf8',
    cwd: scratch,
    timeout: 10_000,
    env: { PATH: fence.path, HOME: scratch, TICKETRING_CONF_DIR: scratch, TICKETRING_SETTINGS: settings },
  })
  return { status, stdout, stderr, asked: fence.asked() }
}

let folders = 0

/** A folder with these files in it. */
function folderOf(files: Readonly<Record<string, string>>): string {
  folders += 1
  const folder = join(scratch, String(folders))
  mkdirSync(folder)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

function textOf(name: string): string {
  return readFileSync(join(FLEET, name), 'utf8')
}

/** The text cut short: in its head, at the end of a function, in the middle of a line and before its last bytes. */
function cutShort(text: string): readonly string[] {
  const afterFunction = text.indexOf('\n}\n', text.length / 2) + 3
  const places = [Math.floor(text.length * 0.1), Math.floor(text.length * 0.9), afterFunction]
  const ends = ['\n}\n', ' "$@"\n}\n', '"\n}\n'].map((end) => text.length - end.length)
  return [...places, ...ends].map((place) => text.slice(0, place))
}

const { rings, stapling } = parseConfiguration(readContext().ticketring)
const [ring] = rings
const [set] = stapling
if (ring === undefined || set === undefined) throw new Error('cdk.json has no example any more')
const DOCUMENTS = [
  buildRingDocument(ring, readScript('apply-ring.sh')),
  buildStapleDocument(set, readScript('apply-staple.sh')),
].map((document) => document.content.mainSteps[0].inputs.runCommand.join('\n'))

const NOTHING = { stdout: '', asked: [] }

describe.each(SHELLS)('%s', (shell) => {
  test('is held by the fence', () => {
    expect(run(shell, ['-c', 'rm -rf /nowhere; mkdir /nowhere']).asked).toEqual([
      'rm -rf /nowhere',
      'mkdir /nowhere',
    ])
  })

  test.each(SCRIPTS)('runs nothing of %s without its instance.sh', (script) => {
    const folder = folderOf({ [script]: textOf(script) })
    const ran = run(shell, [join(folder, script), 'web'])
    expect(ran).toMatchObject({ ...NOTHING, stderr: expect.stringContaining('instance.sh') })
    expect(ran.status).toBeGreaterThan(0)
  })

  test.each(SCRIPTS)('runs nothing of %s when its instance.sh is cut short', (script) => {
    for (const instance of ['', '#!/bin/sh\n', ...cutShort(textOf('instance.sh'))]) {
      const folder = folderOf({ [script]: textOf(script), 'instance.sh': instance })
      const ran = run(shell, [join(folder, script), 'web'])
      expect(ran).toMatchObject(NOTHING)
      expect(ran.status).toBeGreaterThan(0)
    }
  })

  test.each(SCRIPTS)('runs nothing of %s when it is cut short', (script) => {
    for (const text of cutShort(textOf(script))) {
      const folder = folderOf({ [script]: text, 'instance.sh': textOf('instance.sh') })
      const ran = run(shell, [join(folder, script), 'web'])
      expect(ran).toMatchObject(NOTHING)
      expect(ran.status).toBeGreaterThan(0)
    }
  })

  test.each(DOCUMENTS)('runs nothing of a document that is cut short (%#)', (document) => {
    for (const text of cutShort(document)) {
      const ran = run(shell, [join(folderOf({ _script: text }), '_script')])
      expect(ran).toMatchObject(NOTHING)
      expect(ran.status).toBeGreaterThan(0)
    }
  })

  test.each(['/', '//', '/etc', '/../etc', '/etc/..', '/etc/./x', '/etc//x', 'etc/x'])(
    'removes and makes nothing where RUN_DIR is %s',
    (directory) => {
      for (const script of SCRIPTS) {
        const settings = `RUN_DIR=${directory}\nSECRET=x\nTICKET_LIFETIME=60\nSERVER=nginx`
        const { status, asked } = run(shell, [join(FLEET, script), 'web'], settings)
        expect(asked).toEqual([])
        expect(status).toBe(WORKING.includes(shell) ? 1 : 2)
      }
    },
  )

  test.each(['/etc/passwd', '/work', '/run/t/../x', '/run/tt/x', '/run/t/a/b', '/run/t', ''])(
    'removes nothing at %j, which is not its own',
    (path) => {
      const own = `run_dir=/run/t claimed=' /etc/haproxy/edge.pem.ocsp '`
      const script = `. '${FLEET}/instance.sh'; ${own}; remove /run/t/state.new '${path}' || exit 3`
      expect(run(shell, ['-c', script]).asked.filter((line) => line !== 'rm -f -- ')).toEqual([])
    },
  )
})

test.each(WORKING)('%s removes what is its own', (shell) => {
  const own = `run_dir=/run/t claimed=' /etc/haproxy/edge.pem.ocsp '`
  const files = '/run/t/state.new /run/t/work/a.der /etc/haproxy/edge.pem.ocsp'
  const script = `. '${FLEET}/instance.sh'; ${own}; remove ${files}`
  expect(run(shell, ['-c', script]).asked).toEqual([`rm -f -- ${files}`])
})

test.each(SHELLS.filter((shell) => !WORKING.includes(shell)))('%s is refused', (shell) => {
  for (const script of SCRIPTS) {
    const { status, stdout, stderr } = run(shell, [join(FLEET, script), '--help'])
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain('wanted dash, bash or busybox as sh')
  }
})

test('a link in the place of the directory for its work is not followed', () => {
  const folder = folderOf({ kept: 'kept' })
  const own = join(scratch, 'own')
  mkdirSync(own)
  symlinkSync(folder, join(own, 'work'))
  const settings = [`RUN_DIR=${own}`, 'SERVER=nginx', 'NGINX_STAPLES=/a=/b', 'NGINX_VERIFY=127.0.0.1:1=a']
  const env = { TICKETRING_CONF_DIR: scratch, TICKETRING_SETTINGS: settings.join('\n') }
  const { stdout } = spawnSync('dash', [join(FLEET, 'apply-staple.sh'), 'web'], { encoding: 'utf8', env })
  expect(JSON.parse(stdout)).toMatchObject({ error: 'write-failed' })
  expect(readdirSync(folder)).toEqual(['kept'])
})

test('one line of all removes, and never a directory', () => {
  const lines = [...SCRIPTS, 'instance.sh'].flatMap((name) => textOf(name).split('\n'))
  const removals = lines.filter((line) =>
    /(^|[;&|({!]|\b(if|then|do|else)\b)\s*(rm|rmdir|unlink)\s/.test(line),
  )
  expect(removals.map((line) => line.trim())).toEqual(['rm -f -- "$@"'])
})
