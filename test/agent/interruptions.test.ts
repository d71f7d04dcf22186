import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import type { Ring } from '../../lambda/ring/ring.ts'
import { advanced, Instance, type RunOptions, ringOf } from './instance.ts'
import { SocketRelay } from './socket-relay.ts'
import { killing, mountSmall, unmount } from './tool-shims.ts'

let instance: Instance
let mounted: string | undefined
afterEach(async () => {
  if (mounted !== undefined) unmount(mounted)
  mounted = undefined
  await instance.stop()
})

/** A machine that runs generation 1, while AWSCURRENT names generation 2. */
async function oneBehind(server: 'haproxy' | 'nginx'): Promise<[Ring, Ring]> {
  const ring = ringOf(1)
  instance = await Instance.start(server, ring)
  await instance.run()
  const next = advanced(ring)
  instance.publish(next)
  return [ring, next]
}

describe('two runs at once', () => {
  test('the second waits for the first, finds its work done and pushes nothing', async () => {
    const [, next] = await oneBehind('haproxy')
    const { directory } = instance.terminator
    const relay = await SocketRelay.start(join(directory, 'relay.sock'), join(directory, 'admin.sock'))
    instance.set(`HAPROXY_SOCKET=${relay.path}`)
    instance.endpoint.onFetch = () => sleep(300)
    const runs = await Promise.all([instance.run(), instance.run()])
    expect(runs.map((run) => run.line.result).sort()).toEqual(['applied', 'unchanged'])
    expect(relay.pushes).toBe(1)
    expect(await instance.encryptsWith()).toBe(next.current.name)
    relay.stop()
  })

  test('a run that waits longer than LOCK_WAIT is busy', async () => {
    await oneBehind('haproxy')
    instance.set('LOCK_WAIT=1')
    let goOn = () => {}
    const held = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const fetched = new Promise<void>((resolve) => {
      instance.endpoint.onFetch = () => {
        resolve()
        return held
      }
    })
    const first = instance.begin()
    await fetched
    expect((await instance.run()).line).toMatchObject({ result: 'failed', error: 'busy' })
    goOn()
    expect((await first.ended).line.result).toBe('applied')
  })
})

/** Where a run is killed: before or after which call of which kind to the kernel. */
const POINTS = {
  haproxy: [
    ['fchown', 1, 'before'],
    ['fsync', 1, 'after'],
    ['linkat', 1, 'after'],
    ['renameat', 1, 'before'],
    ['renameat', 1, 'after'],
    ['sendto', 3, 'before'],
    ['sendto', 4, 'before'],
    ['sendto', 5, 'before'],
    ['sendto', 5, 'after'],
    ['sendto', 7, 'after'],
    ['renameat', 2, 'before'],
    ['renameat', 2, 'after'],
  ],
  nginx: [
    ['linkat', 2, 'after'],
    ['renameat', 1, 'after'],
    ['renameat', 2, 'after'],
    ['renameat', 3, 'after'],
    ['renameat', 4, 'before'],
    ['renameat', 4, 'after'],
  ],
} as const

describe.each(['haproxy', 'nginx'] as const)('%s, killed half-way', (server) => {
  test.each([...POINTS[server]])(
    'at %s, call %i, %s it: the server goes on, and the next run ends well',
    async (...point) => {
      const [ring, next] = await oneBehind(server)
      const log = join(instance.terminator.directory, 'calls')
      const killed = await instance.run({ prefix: killing(...point, log) })
      expect(readFileSync(log, 'utf8')).toContain('killed by SIGUSR1')
      expect(killed.stdout).toBe('')
      expect([ring.current.name, next.current.name]).toContain(await instance.encryptsWith())
      const { line } = await instance.run()
      expect(line).toMatchObject({ generation: 2, verified: 'handshake', encryptsWith: next.current.name })
      const settled = await instance.condition()
      expect(settled).toMatchObject({
        left: instance.terminator.keyFiles.map((file) => file.split('/').pop()).sort(),
      })
      expect((await instance.run()).line.result).toBe('unchanged')
      expect(await instance.condition()).toEqual(settled)
    },
  )
})

describe('told to end', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    '%s after the push: one line, interrupted, and the old ring is back',
    async (signal) => {
      await oneBehind('haproxy')
      const { directory } = instance.terminator
      const before = await instance.condition()
      const relay = await SocketRelay.start(join(directory, 'relay.sock'), join(directory, 'admin.sock'))
      instance.set(`HAPROXY_SOCKET=${relay.path}`)
      const run = instance.begin()
      relay.after = (line) => {
        if (line.startsWith('set')) process.kill(run.pid, signal)
      }
      const { code, line } = await run.ended
      expect({ code, ...line }).toMatchObject({ code: 1, result: 'failed', error: 'interrupted' })
      expect(relay.pushes).toBe(4)
      expect(await instance.condition()).toEqual(before)
      relay.stop()
    },
  )

  test.each(['previous', 'current', 'next'].map((name, index) => [name, index + 1] as const))(
    'SIGTERM once the file of %s is renamed: nginx keeps all three',
    async (_, count) => {
      await oneBehind('nginx')
      const before = await instance.condition()
      const prefix = ['strace', '-qq', '-o', '/dev/null', '-e', `inject=renameat:signal=TERM:when=${count}`]
      const { line } = await instance.run({ prefix })
      expect(line).toMatchObject({ result: 'failed', error: 'interrupted' })
      await expect.poll(() => instance.condition()).toEqual(before)
    },
  )
})

describe('a full file system', () => {
  test.each(['haproxy', 'nginx'] as const)(
    '%s: no room for the keys is disk-full, and nothing changes',
    async (server) => {
      await oneBehind(server)
      mkdirSync(join(instance.terminator.directory, 'keys', 'run'))
      const before = await instance.condition()
      const { options, error } = await fill()
      const run = await instance.run(options)
      expect(run.line).toMatchObject({ result: 'failed', error })
      expect(await instance.condition()).toEqual(before)
    },
  )

  test('no room for the state is disk-full, and nothing changes', async () => {
    await oneBehind('haproxy')
    instance.set(`RUN_DIR=${instance.terminator.directory}/keys/run`)
    const before = await instance.condition()
    mkdirSync(join(instance.terminator.directory, 'keys', 'run'))
    const { options, error } = await fill()
    expect((await instance.run(options)).line).toMatchObject({ result: 'failed', error })
    expect((await instance.condition()).holds).toEqual(before.holds)
  })
})

/** Puts the key files on a full tmpfs; where mounting is not permitted, forbids the program to write a byte. */
async function fill(): Promise<{ options: RunOptions; error: string }> {
  const { terminator } = instance
  const directory = join(terminator.directory, 'keys')
  const contents = instance.contents()
  if (!mountSmall(directory)) {
    const limit = 'trap "" XFSZ; ulimit -f 0; exec "$@"'
    return { options: { prefix: ['sh', '-c', limit, 'sh'] }, error: 'write-failed' }
  }
  mounted = directory
  await terminator.halt()
  for (const [file, bytes] of contents) writeFileSync(file, bytes, { mode: 0o400 })
  await terminator.restart()
  mkdirSync(join(directory, 'run'))
  expect(() => writeFileSync(join(directory, 'run', 'filler'), Buffer.alloc(64 * 1024))).toThrow('ENOSPC')
  return { options: {}, error: 'disk-full' }
}
