/** Where an owner has put up the fence, nothing of the machine changes, and each run says so. */
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Instance } from './instance.ts'
import { failed, refused, startMachine, startOneBehind } from './machine.ts'
import { UID } from './other-user.ts'
import { StapleInstance } from './staple-instance.ts'

let machine: Instance
afterEach(() => machine.stop())

const isRoot = process.getuid?.() === 0
/** Of all rings and sets of the machine. */
const ofAll = () => join(dirname(machine.runDirectory), 'hold')
/** Of this ring. */
const ofThis = () => join(machine.runDirectory, 'hold')

describe.each(['haproxy', 'nginx'] as const)('a machine with %s that is held', (server) => {
  test('changes nothing, asks nothing and says why, by whatever it is run, until the file is gone', async () => {
    ;[machine] = await startOneBehind(server)
    const asked = machine.endpoint.fetches
    writeFileSync(ofAll(), 'kernel upgrade, ask "Jo"\n')
    expect(await refused(machine, 'held-on-machine')).toBe(`${ofAll()}: kernel upgrade, ask 'Jo'`)
    await refused(machine, 'held-on-machine', { environment: { SSM_Program: 'keep' } })
    const before = await machine.condition()
    const pull = await machine.run({ arguments: ['--pull', 'edge'] })
    // No failed unit: the owner knows.
    expect({ code: pull.code, ...pull.line }).toMatchObject({ code: 75, error: 'held-on-machine' })
    await failed(machine, 'held-on-machine', { arguments: ['--boot', 'edge'] })
    expect(await machine.condition()).toEqual(before)
    expect(machine.endpoint.fetches).toBe(asked)
    rmSync(ofAll())
    expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
  })
})

test('a ring alone is held by the file in its own directory, and beside it the staples of the machine are brought', async () => {
  ;[machine] = await startOneBehind('haproxy')
  const set = StapleInstance.on(machine)
  writeFileSync(ofThis(), 'edge only')
  expect(await refused(machine, 'held-on-machine')).toBe(`${ofThis()}: edge only`)
  set.publish()
  expect((await set.run()).line).toMatchObject({ result: 'applied', installed: 1 })
})

test('staples are held too: none comes, and none goes', async () => {
  machine = await startMachine('nginx')
  const set = StapleInstance.on(machine)
  set.publish()
  writeFileSync(ofAll(), 'audit')
  const held = { result: 'failed', error: 'held-on-machine', detail: `${ofAll()}: audit`, installed: 0 }
  expect((await set.run()).line).toMatchObject(held)
  expect(existsSync(set.file)).toBe(false)
  rmSync(ofAll())
  await set.staple()
  writeFileSync(ofAll(), 'audit')
  set.withdraw()
  expect((await set.run()).line).toMatchObject({ ...held, withdrawn: 0 })
  expect(existsSync(set.file)).toBe(true)
})

test.each<[string, string, string]>([
  ['is empty', '', 'without a reason in one line of ASCII'],
  ['has several lines', 'one\ntwo\n', 'without a reason in one line of ASCII'],
  ['has what is no text', 'a\0b', 'without a reason in one line of ASCII'],
  ['has other letters', 'Wartung übermorgen', 'without a reason in one line of ASCII'],
  ['is long', `${'x'.repeat(5000)}\n`, 'x'.repeat(99)],
])('a hold whose reason %s holds all the same', async (_, text, told) => {
  ;[machine] = await startOneBehind('haproxy')
  writeFileSync(ofAll(), text)
  expect(await refused(machine, 'held-on-machine')).toBe(`${ofAll()}: ${told}`)
})

describe.runIf(isRoot)('in the place of a hold', () => {
  test.each<[string, (place: string) => void]>([
    ['a link', (place) => symlinkSync('/etc/hostname', place)],
    ['a link to nothing', (place) => symlinkSync('/nothing', place)],
    ['a directory', (place) => mkdirSync(place)],
    ['a FIFO', (place) => execFileSync('mkfifo', [place])],
    [
      'a file that is another user’s',
      (place) => {
        writeFileSync(place, 'x')
        chownSync(place, UID, -1)
      },
    ],
    [
      'a file that others may write',
      (place) => {
        writeFileSync(place, 'x')
        chmodSync(place, 0o666)
      },
    ],
  ])('%s is refused and named, and nothing is changed', async (_, put) => {
    ;[machine] = await startOneBehind('haproxy')
    for (const place of [ofAll(), ofThis()]) {
      put(place)
      expect(await refused(machine, 'path-unsafe')).toContain(place)
      rmSync(place, { recursive: true })
    }
    expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
  })

  test('a file of another user, where each user may make one, stops no run', async () => {
    ;[machine] = await startOneBehind('haproxy')
    chmodSync(dirname(machine.runDirectory), 0o1777)
    writeFileSync(ofAll(), 'mine')
    chownSync(ofAll(), UID, -1)
    expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
  })
})
