import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Ring } from '../../lambda/ring/ring.ts'
import { advanced, ask, Instance, rendered, ringOf } from './instance.ts'
import { SocketRelay } from './socket-relay.ts'
import { takesSignals } from './terminators.ts'

let instance: Instance
let relay: SocketRelay
let next: Ring
/** The ring that HAProxy runs before, as its key file has it. */
let oldFile: string

/** A HAProxy that runs generation 1, while AWSCURRENT names generation 2. */
beforeEach(async () => {
  const ring = ringOf(1)
  instance = await Instance.start('haproxy', ring)
  await instance.run()
  next = advanced(ring)
  instance.publish(next)
  oldFile = readFileSync(keyFile(), 'utf8')
  const { directory } = instance.terminator
  relay = await SocketRelay.start(join(directory, 'relay.sock'), join(directory, 'admin.sock'))
  instance.set(`HAPROXY_SOCKET=${relay.path}`)
})
afterEach(async () => {
  relay.stop()
  await instance.stop()
})

test('a reload after the file is in place, before it is loaded: its worker has the ring, and nothing is pushed', async () => {
  once(() => readFileSync(keyFile(), 'utf8') !== oldFile, reload)
  expect((await instance.run()).line).toMatchObject({ result: 'applied', generation: 2 })
  expect(relay.pushes).toBe(0)
  expect(await instance.holds()).toEqual(rendered(next, 'haproxy-80'))
})

test('a reload just before the push, which then repeats a key: the whole ring is loaded', async () => {
  once((line) => line.startsWith('set'), reload)
  expect((await instance.run()).line).toMatchObject({ result: 'applied', generation: 2 })
  expect(relay.pushes).toBe(4)
  expect(await instance.holds()).toEqual(rendered(next, 'haproxy-80'))
})

test('a worker that had read the old file and takes over after the proof is loaded and proved as well', async () => {
  const took = once(isLookAfterPush, takeOverWithOldFile)
  const { line, stderr } = await instance.run()
  expect(line).toMatchObject({ result: 'applied', verified: 'handshake', encryptsWith: next.current.name })
  expect(took()).toBe(1)
  expect(stderr).toContain('reloaded meanwhile')
  expect(relay.pushes).toBe(2)
  expect(await instance.holds()).toEqual(rendered(next, 'haproxy-80'))
  expect(await instance.encryptsWith()).toBe(next.current.name)
})

test('a worker that takes over with a revoked ring within a second of the proof is loaded and proved as well', async () => {
  const revoking = { ...ringOf(3), lineage: next.lineage }
  instance.publish(revoking)
  const took = once(isLookAfterPush, takeOverWithOldFile)
  const { line, stderr } = await instance.run()
  expect(took()).toBe(1)
  expect(line).toMatchObject({ result: 'applied', encryptsWith: revoking.current.name })
  expect(stderr).toContain('reloaded meanwhile')
  expect(await instance.holds()).toEqual(rendered(revoking, 'haproxy-80'))
})

test('workers that take over with the old file again and again end in a failure that leaves the old ring', async () => {
  const before = await instance.condition()
  // After the proof of each load: the first one's look, and that which follows the second one's pushes.
  const seen: number[] = []
  relay.before = async (line) => {
    if (seen.length === 2 || !isLookAfterPush(line) || relay.pushes === seen[0]) return
    seen.push(relay.pushes)
    await takeOverWithOldFile()
  }
  const { code, line } = await instance.run()
  expect({ code, ...line }).toMatchObject({ code: 1, error: 'socket-unexpected', verified: 'none' })
  expect(line.detail).toContain('again and again')
  await expect.poll(() => instance.condition()).toEqual(before)
})

/** Does something before the first line of commands for which this holds; tells how often it did. */
function once(holds: (line: string) => boolean, act: () => Promise<void>): () => number {
  let times = 0
  relay.before = async (line) => {
    if (times > 0 || !holds(line)) return
    times += 1
    await act()
  }
  return () => times
}

function isLookAfterPush(line: string): boolean {
  return relay.pushes > 0 && line.startsWith('show cli level')
}

function keyFile(): string {
  return instance.terminator.keyFiles[0] ?? ''
}

const adminSocket = () => join(instance.terminator.directory, 'admin.sock')
const workerOf = (information: string) => /^Pid: (\d+)$/m.exec(information)?.[1]

/** Reloads HAProxy and waits for the new worker to serve the socket. */
async function reload(): Promise<void> {
  const old = workerOf(await ask(adminSocket(), 'show info'))
  const master = instance.terminator.pid()
  await expect.poll(() => takesSignals(master)).toBe(true)
  process.kill(master, 'SIGUSR2')
  // A worker that is leaving may close without an answer: that is no other worker yet.
  await expect.poll(async () => workerOf(await ask(adminSocket(), 'show info')) ?? old).not.toBe(old)
}

/** What a reload does that began before the new file was in place and ends now. */
async function takeOverWithOldFile(): Promise<void> {
  const newFile = readFileSync(keyFile(), 'utf8')
  place(oldFile)
  await reload()
  place(newFile)
}

function place(text: string): void {
  const beside = join(instance.terminator.directory, 'placed.keys')
  writeFileSync(beside, text, { mode: 0o400 })
  renameSync(beside, keyFile())
}
