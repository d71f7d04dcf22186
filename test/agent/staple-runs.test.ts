import { spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { NO_CREDENTIALS } from './endpoint.ts'
import { advanced, ringOf } from './instance.ts'
import { StapleInstance } from './staple-instance.ts'
import { killing } from './tool-shims.ts'

let instance: StapleInstance
afterEach(() => instance?.stop())

async function behind(server: 'haproxy' | 'nginx'): Promise<[Buffer, Buffer]> {
  instance = await StapleInstance.start(server)
  const older = instance.publish({ from: -9 })
  expect((await instance.run()).line.result).toBe('applied')
  return [older, instance.publish()]
}

describe.each(['haproxy', 'nginx'] as const)('%s', (server) => {
  test('with the credentials and the Region of the metadata', async () => {
    const [, newer] = await behind(server)
    const environment = { ...NO_CREDENTIALS, AWS_REGION: undefined }
    const { line } = await instance.run('all', { environment })
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
    ['fchown', 1, 'before'],
    ['linkat', 1, 'after'],
    ['renameat', 1, 'before'],
    ['renameat', 1, 'after'],
    server === 'nginx' ? ['pwrite64', 1, 'before'] : ['sendto', 4, 'after'],
  ])('killed at %s, call %i, %s it: it staples on, and the next run ends well', async (...point) => {
    const [older, newer] = await behind(server)
    const log = join(instance.machine.terminator.directory, 'calls')
    const killed = await instance.run('all', { prefix: killing(...point, log) })
    expect(readFileSync(log, 'utf8')).toContain('killed by SIGUSR1')
    expect(killed.stdout).toBe('')
    expect([older, newer]).toContainEqual(await instance.stapled())
    expect((await instance.run()).line).toMatchObject({ held: 1, verified: 'handshake' })
    expect(await instance.stapled()).toEqual(newer)
    expect(readdirSync(dirname(instance.file)).filter((name) => name.startsWith('.'))).toEqual([])
    expect((await instance.run()).line.result).toBe('unchanged')
  })
})

/** The files that a process has open. */
function opened(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      // It was closed meanwhile.
      return []
    }
  })
}

describe('nginx, for a ring and its staples', () => {
  test('a reload that began after the files of both were in place serves both', async () => {
    await behind('nginx')
    const { machine } = instance
    const { directory } = machine.terminator
    await machine.run()
    machine.publish(advanced(ringOf(1)))
    const reloads = instance.reloads()
    const lock = join(
      directory,
      readdirSync(directory).find((name) => /^nginx\..+\.reload$/.test(name)) ?? '',
    )
    const holder = spawn('flock', ['--no-fork', lock, 'sleep', '600'], { stdio: 'ignore' })
    await expect.poll(() => spawnSync('flock', ['-n', lock, 'true']).status).toBe(1)
    const [first, second] = [machine.begin(), instance.begin()]
    // What opens the lock has its files in place.
    for (const { pid } of [first, second]) await expect.poll(() => opened(pid)).toContain(lock)
    holder.kill()
    const [ring, staples] = await Promise.all([first.ended, second.ended])
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

describe('by hand and late', () => {
  test('the set and the order are arguments', async () => {
    const [, newer] = await behind('nginx')
    const environment = { TICKETRING_SET: undefined, SSM_Staples: undefined }
    const { line } = await instance.run('all', { arguments: ['outer', instance.told(newer)], environment })
    expect(line).toMatchObject({ result: 'applied', staples: 'outer' })
  })

  test('a command that comes late finds a newer response, takes it and says so', async () => {
    const [older, newer] = await behind('nginx')
    const { line, stderr } = await instance.run(instance.told(older))
    expect(line).toMatchObject({ result: 'applied', installed: 1 })
    expect(stderr).toContain('the store holds')
    expect(await instance.stapled()).toEqual(newer)
  })
})
