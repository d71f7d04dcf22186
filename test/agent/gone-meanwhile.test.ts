/** A HAProxy that ends, or is away for a moment, while a run is about to load it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { advanced, rendered, ringOf } from './instance.ts'
import { StapleInstance } from './staple-instance.ts'

let instance: StapleInstance
let holder: ChildProcess | undefined
afterEach(async () => {
  holder?.kill()
  await instance.stop()
})

/** Has the run wait right before its load, ends HAProxy there, and lets it go on. */
async function endBeforeLoad<R>(begin: () => { pid: number; ended: Promise<R> }): Promise<R> {
  const { directory } = instance.machine.terminator
  const lock = join(
    directory,
    readdirSync(directory).find((name) => /^haproxy\.[0-9a-f]+\.reload$/.test(name)) ?? '',
  )
  holder = spawn('flock', ['--no-fork', lock, 'sleep', '600'], { stdio: 'ignore' })
  await expect.poll(() => spawnSync('flock', ['-n', lock, 'true']).status).toBe(1)
  for (const each of [instance, instance.machine]) each.set('LOCK_WAIT=60')
  const { pid, ended } = begin()
  await expect.poll(() => filesOf(pid)).toContain(lock)
  await instance.machine.terminator.halt()
  holder.kill()
  return await ended
}

function filesOf(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
}

test('a ring is left in the files for its start', async () => {
  instance = await StapleInstance.start('haproxy')
  const { machine } = instance
  const before = advanced(ringOf(1))
  machine.publish(before)
  await machine.run()
  const ring = advanced(before)
  machine.publish(ring)
  const { line } = await endBeforeLoad(() => machine.begin())
  expect(line).toMatchObject({ error: 'server-not-running' })
  const [file = ''] = machine.terminator.keyFiles
  expect(readFileSync(file, 'utf8').trim().split('\n')).toEqual(rendered(ring, 'haproxy-80'))
})

test('a staple is left beside its certificate for its start', async () => {
  instance = await StapleInstance.start('haproxy')
  await instance.staple({ from: -9 })
  const der = instance.publish()
  const { line } = await endBeforeLoad(() => instance.begin())
  expect(line).toMatchObject({ error: 'server-not-running', held: 1 })
  expect(instance.installed()).toEqual(der)
  await instance.machine.terminator.restart()
  expect(await instance.stapled()).toEqual(der)
})

test('one whose reload is a restart is waited for', async () => {
  instance = await StapleInstance.start('haproxy')
  const der = instance.publish()
  const { directory, pid } = instance.machine.terminator
  const [script, started] = [join(directory, 'restart'), join(directory, 'started.pid')]
  const steps = [
    `kill ${pid()}`,
    `while kill -0 ${pid()} && ! grep -q '^State:.Z' /proc/${pid()}/status; do sleep 0.02; done`,
    `(sleep 1; exec haproxy -W -f ${directory}/haproxy.cfg) >/dev/null 2>&1 & echo $! >${started}`,
  ]
  writeFileSync(script, `#!/bin/sh\n${steps.join('\n')}\n`, { mode: 0o755 })
  const environment = instance.environment()
  environment.TICKETRING_SETTINGS = `${environment.TICKETRING_SETTINGS}\nHAPROXY_RELOAD=${script}\nVERIFY_WAIT=30`
  try {
    const { line } = await instance.run('all', { environment })
    expect(line).toMatchObject({ result: 'applied', verified: 'handshake' })
    expect(await instance.stapled()).toEqual(der)
  } finally {
    process.kill(Number(readFileSync(started, 'utf8')))
  }
})
