import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { linesOf, readScript } from '../../infra/document.ts'
import { NO_CREDENTIALS } from './endpoint.ts'
import { advanced, ringOf } from './instance.ts'
import { STAPLE_SCRIPT, StapleInstance } from './staple-instance.ts'
import { callsOf, pathThatKills, pathWithout } from './tool-shims.ts'

let instance: StapleInstance
afterEach(() => instance?.stop())

async function behind(server: 'haproxy' | 'nginx'): Promise<[Buffer, Buffer]> {
  instance = await StapleInstance.start(server)
  const older = instance.publish({ from: -9 })
  await instance.run()
  return [older, instance.publish()]
}

describe.each(['haproxy', 'nginx'] as const)('%s', (server) => {
  test('under bash --posix, with the metadata’s credentials and python3 in the place of curl and socat', async () => {
    const [, newer] = await behind(server)
    const PATH = pathWithout(instance.machine.terminator.directory, 'curl', 'socat')
    const environment = { ...NO_CREDENTIALS, AWS_REGION: undefined, PATH }
    const { line } = await instance.run('all', { shell: ['/usr/bin/bash', '--posix'], environment })
    expect(line).toMatchObject({ result: 'applied', installed: 1, verified: 'handshake' })
    expect(await instance.stapled()).toEqual(newer)
    expect(instance.machine.endpoint.faults).toEqual([])
  })

  test('two runs at once: one installs, the other finds it done', async () => {
    const [, newer] = await behind(server)
    instance.machine.endpoint.onFetch = () => sleep(200)
    const runs = await Promise.all([instance.run(), instance.run()])
    expect(runs.map(({ line }) => line.result).sort()).toEqual(['applied', 'unchanged'])
    expect(await instance.stapled()).toEqual(newer)
  })

  test.each<[string, number, 'before' | 'after']>([
    ['mv', 1, 'before'],
    ['mv', 1, 'after'],
    server === 'nginx' ? ['nginx', 2, 'after'] : ['socat', 3, 'after'],
  ])('killed at %s, call %i, %s it: it staples on, and the next run ends well', async (tool, call, when) => {
    const [older, newer] = await behind(server)
    const { directory } = instance.machine.terminator
    const killed = await instance.run('all', {
      environment: { PATH: pathThatKills(directory, tool, call, when) },
    })
    expect(callsOf(directory, tool)).toBe(call)
    expect(killed.stdout).toBe('')
    expect([older, newer]).toContainEqual(await instance.stapled())
    expect((await instance.run()).line).toMatchObject({ held: 1, verified: 'handshake' })
    expect(await instance.stapled()).toEqual(newer)
    expect(readdirSync(dirname(instance.file)).filter((name) => name.startsWith('.'))).toEqual([])
    expect((await instance.run()).line.result).toBe('unchanged')
  })
})

describe('nginx, for a ring and its staples', () => {
  test('a reload that began after the files of both were in place serves both', async () => {
    await behind('nginx')
    const { machine } = instance
    await machine.run()
    machine.publish(advanced(ringOf(1)))
    const reloads = instance.reloads()
    const lock =
      readdirSync(machine.terminator.directory).find((name) => /^nginx\.\d+\.reload$/.test(name)) ?? ''
    const holder = spawn('flock', [join(machine.terminator.directory, lock), 'sleep', '30'], {
      detached: true,
    })
    const [keyFile = ''] = machine.terminator.keyFiles
    const [key, staple] = [readFileSync(keyFile), instance.installed()]
    await sleep(100)
    const runs = Promise.all([machine.run(), instance.run()])
    await vi.waitFor(() => {
      expect(readFileSync(keyFile)).not.toEqual(key)
      expect(instance.installed()).not.toEqual(staple)
    }, 15_000)
    await sleep(300)
    process.kill(-(holder.pid ?? 0))
    const [ring, staples] = await runs
    expect(ring.line).toMatchObject({ result: 'applied', verified: 'handshake' })
    expect(staples.line).toMatchObject({ result: 'applied', verified: 'handshake' })
    expect(instance.reloads() - reloads).toBe(1)
    expect(ring.stderr + staples.stderr).toContain('reloaded for another run')
  })

  test('a reload that began before is not counted on', async () => {
    await behind('nginx')
    const reloads = instance.reloads()
    const [first] = [await instance.run(), instance.publish({ from: -0.5 })]
    const second = await instance.run()
    expect([first, second].map(({ line }) => line.result)).toEqual(['applied', 'applied'])
    expect(instance.reloads() - reloads).toBe(2)
  })
})

describe('by hand and in a document', () => {
  test('the set and the order are arguments, and the version is the hash of what a document carries', async () => {
    const [, newer] = await behind('nginx')
    const environment = { TICKETRING_SET: undefined, SSM_Staples: undefined, TICKETRING_SCRIPT: undefined }
    const { line } = await instance.run('all', { arguments: ['outer', instance.told(newer)], environment })
    const hash = createHash('sha256').update(readScript('apply-staple.sh')).digest('hex')
    expect(line).toMatchObject({ result: 'applied', staples: 'outer', script: hash.slice(0, 12) })
  })

  test('runs as the body of a document', async () => {
    const [, newer] = await behind('haproxy')
    const document = join(instance.machine.terminator.directory, '_script.sh')
    writeFileSync(document, readScript('apply-staple.sh'))
    expect((await instance.run(instance.told(newer), { script: document })).line.result).toBe('applied')
  })

  test('a command that comes late finds a newer response, takes it and says so', async () => {
    const [older, newer] = await behind('nginx')
    const { line, stderr } = await instance.run(instance.told(older))
    expect(line).toMatchObject({ result: 'applied', installed: 1 })
    expect(stderr).toContain('the store holds')
    expect(await instance.stapled()).toEqual(newer)
  })

  test('--help names every setting', () => {
    const help = execFileSync('dash', [STAPLE_SCRIPT, '--help'], { encoding: 'utf8' })
    const settings = [...readScript('apply-staple.sh').matchAll(/^(?:OWN|COMMON)_SETTINGS=.*$/gm)].flatMap(
      ([line]) => line.replace(/\$?\w+_SETTINGS=?/g, '').match(/[A-Z][A-Z_]+/g) ?? [],
    )
    expect(settings.length).toBeGreaterThan(13)
    for (const setting of settings) expect(help).toContain(setting)
  })

  test('the script fits a document of 64 kB, and holds no double braces', () => {
    const text = readScript('apply-staple.sh')
    expect(text).not.toContain('{{')
    expect(JSON.stringify(linesOf(text)).length).toBeLessThan(58_000)
  })
})
