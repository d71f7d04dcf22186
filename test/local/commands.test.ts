import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { toLayout } from '../../lambda/ring/layouts.ts'
import { genesis, keysOf } from '../../lambda/ring/ring.ts'
import { seededChance } from '../fakes/chance.ts'

const folder = mkdtempSync(join(tmpdir(), 'commands-'))
afterAll(() => rmSync(folder, { recursive: true }))

const node = (file: string) => [process.execPath, '--import', 'tsx', file]
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  'npm start': node('local/rehearsal/main.ts'),
  invoke: node('local/invoke.ts'),
  adopt: node('local/adopt.ts'),
  explain: node('local/explain.ts'),
  document: node('local/document.ts'),
  bench: node('bench/main.ts'),
  explore: node('test/explore/main.ts'),
  setup: [process.execPath, 'bin/setup.mjs'],
  ticketring: ['/usr/bin/python3', '-I', 'agent'],
}

/** @param unread whether the reader of standard output has left before anything is printed. */
async function run(argv: readonly string[], { unread = false } = {}) {
  const [command = '', ...words] = argv
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] })
  if (unread) child.stdout.destroy()
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (text) => {
      said[name] += text
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...said }
}

/** What a Node process says at its end of the packages that it has loaded, beside those that run TypeScript. */
const LOADED = `import { Module } from 'node:module'
process.on('exit', () => {
  const packages = Object.keys(Module._cache).map((file) => /node_modules\\/((@[^/]+\\/)?[^/]+)/.exec(file)?.[1])
  const others = new Set(packages.filter((name) => !['tsx', 'esbuild', undefined].includes(name)))
  if (others.size > 0) process.stderr.write('loaded ' + [...others].join(', '))
})`

/** Node's command with that in it; any other as it is. */
function watched([command = '', ...words]: readonly string[]): readonly string[] {
  const watch = ['--import', `data:text/javascript,${encodeURIComponent(LOADED)}`]
  return command === process.execPath ? [command, ...watch, ...words] : [command, ...words]
}

describe.each(Object.entries(COMMANDS))('%s', (name, argv) => {
  it.each(['--help', '-h'])(
    '%s says what it is for, with exit code 0, before it loads a package',
    async (word) => {
      const { code, stdout, stderr } = await run([...watched(argv), word])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toContain(name)
      expect(stdout).toMatch(/(^|[ [])--[a-z]/m)
    },
  )
})

describe('explore', () => {
  it.each([[['0']], [['many']], [['2', 'no such state']]])(
    '%j explores nothing, and says so',
    async (words) => {
      const { code, stdout, stderr } = await run([...(COMMANDS.explore ?? []), ...words])
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain('no ring yet')
    },
  )

  it('that is ended early says how far it came, and is no success', async () => {
    const [command = '', ...words] = COMMANDS.explore ?? []
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    child.stdout.on('data', (text) => {
      said += text
    })
    child.stderr.once('data', () => child.kill('SIGTERM'))
    expect(await once(child, 'close')).toEqual([143, null])
    expect(said).toMatch(/^ended early, by SIGTERM: 0 of \d+ states, \d+ schedules, 0 pairs with a fault$/m)
  })
})

/** A ring's keys as HAProxy has them. */
function keyFile(): string {
  const chance = seededChance('commands')
  const ring = genesis('edge', chance.uuid(), { parent: 'v0', now: new Date(0), random: chance.random })
  const file = join(folder, 'haproxy.keys')
  writeFileSync(
    file,
    keysOf(ring)
      .map((key) => `${toLayout(key, 'haproxy-80').toString('base64')}\n`)
      .join(''),
  )
  return file
}

describe('a reader that has left', () => {
  it.each(['npm start', 'invoke', 'adopt', 'explain', 'bench'])(
    'of %s is no failure, and not worth a word',
    async (name) => {
      const ended = await run([...(COMMANDS[name] ?? []), '--help'], { unread: true })
      expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
    },
  )

  it('of a ring that is adopted learns nothing of it, nor does any other program', async () => {
    const argv = [...node('local/adopt.ts'), '--ring', 'edge', '--layout', 'haproxy-80', keyFile()]
    expect(JSON.parse((await run(argv)).stdout)).toMatchObject({ ring: 'edge', generation: '1' })
    expect(await run(argv, { unread: true })).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  it('is told apart from a disk that is full', async () => {
    const { code, stderr } = await run([
      'sh',
      '-c',
      'exec "$@" >/dev/full',
      'sh',
      ...node('local/adopt.ts'),
      '--help',
    ])
    expect(code).not.toBe(0)
    expect(stderr).toContain('ENOSPC')
  })
})
