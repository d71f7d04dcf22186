/** Another user of the machine gets nothing: no key where they look, no file of root's emptied, no run held up. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Ring } from '../../lambda/ring/ring.ts'
import type { Instance } from './instance.ts'
import { findKeyBytes } from './key-bytes.ts'
import { failed, startOneBehind } from './machine.ts'
import { UID } from './other-user.ts'

let machine: Instance
let next: Ring
let keys: string
beforeEach(async () => {
  ;[machine, next] = await startOneBehind('haproxy')
  keys = dirname(machine.terminator.keyFiles[0] ?? '')
})
afterEach(() => machine.stop())

/** Refused before anything is written; gives the detail. */
async function refused(): Promise<string> {
  const before = [machine.files(), await machine.holds()]
  const { line } = await failed(machine, 'path-unsafe')
  expect([machine.files(), await machine.holds()]).toEqual(before)
  return line.detail ?? ''
}

/** A directory below the machine's own. */
function inMachine(name: string, mode: number, uid = 0): string {
  const path = join(machine.terminator.directory, name)
  mkdirSync(path)
  chmodSync(path, mode)
  chownSync(path, uid, -1)
  return path
}

const isRoot = process.getuid?.() === 0

describe('a directory', () => {
  test.each([
    ['others', 0o777],
    ['its group', 0o775],
    ['others, with the sticky bit,', 0o1777],
  ])('of key files that %s may write is refused and named', async (_, mode) => {
    chmodSync(keys, mode)
    expect(await refused()).toContain(keys)
  })

  test.runIf(isRoot)('of key files that belongs to another user is refused and named', async () => {
    chownSync(keys, UID, -1)
    expect(await refused()).toMatch(new RegExp(`${keys} .*belongs to user ${UID}`))
  })

  test('on the way that others may write is refused and named', async () => {
    const way = inMachine('way', 0o777)
    mkdirSync(join(way, 'run'))
    machine.set(`RUN_DIR=${way}/run`)
    expect(await refused()).toContain(`${way} `)
  })

  test.runIf(isRoot)('for the runs that another user has prepared is refused and named', async () => {
    const prepared = inMachine('prepared', 0o755, UID)
    symlinkSync('/etc/hostname', join(prepared, 'lock'))
    machine.set(`RUN_DIR=${prepared}`)
    expect(await refused()).toContain(prepared)
  })

  test('with the sticky bit may stand on the way, as /tmp does', async () => {
    const way = inMachine('way', 0o1777)
    machine.set(`RUN_DIR=${way}/run`)
    expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
    expect(statSync(join(way, 'run')).mode & 0o022).toBe(0)
  })

  test('of the settings, which name commands, that others may write is refused and named', async () => {
    machine.writeConf('')
    const folder = join(machine.terminator.directory, 'conf')
    chmodSync(folder, 0o777)
    expect(await refused()).toContain(folder)
    chmodSync(folder, 0o755)
    chmodSync(join(folder, 'edge.conf'), 0o666)
    expect(await refused()).toContain(join(folder, 'edge.conf'))
  })
})

describe('a link', () => {
  test('of root, on the way, is followed', async () => {
    renameSync(keys, `${keys}.elsewhere`)
    symlinkSync(`${keys}.elsewhere`, keys)
    expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
  })

  test.runIf(isRoot)('of another user, on the way, is refused', async () => {
    renameSync(keys, `${keys}.elsewhere`)
    symlinkSync(`${keys}.elsewhere`, keys)
    lchownSync(keys, UID, -1)
    expect(await refused()).toContain('foreign link')
  })

  test('in the place of the file that is made is not followed: no key goes where it leads', async () => {
    const target = join(machine.terminator.directory, 'target')
    writeFileSync(target, 'theirs')
    for (const name of ['new', 'old']) symlinkSync(target, join(keys, `haproxy.keys.${name}`))
    symlinkSync(target, join(machine.runDirectory, 'state.new'))
    expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
    expect(readFileSync(target, 'utf8')).toBe('theirs')
    expect(findKeyBytes(readFileSync(join(keys, 'haproxy.keys')), [next])).toBeGreaterThan(0)
  })

  test.each(['lock', 'state'])(
    'in the place of %s is refused, and what it leads to stays as it was',
    async (name) => {
      const target = join(machine.terminator.directory, 'target')
      writeFileSync(target, 'theirs')
      rmSync(join(machine.runDirectory, name), { force: true })
      symlinkSync(target, join(machine.runDirectory, name))
      expect(await refused()).toContain(`${machine.runDirectory}/${name}`)
      expect(readFileSync(target, 'utf8')).toBe('theirs')
    },
  )
})

describe.each([
  ['a directory', (path: string) => mkdirSync(path)],
  ['a FIFO', (path: string) => execFileSync('mkfifo', [path])],
])('%s', (_, make) => {
  test.each(['lock', 'state'])('in the place of %s is refused and named', async (name) => {
    rmSync(join(machine.runDirectory, name))
    make(join(machine.runDirectory, name))
    expect(await refused()).toContain(`${machine.runDirectory}/${name}`)
  })

  test('in the place of a ticket that is tried again is refused and named', async () => {
    const path = join(
      machine.runDirectory,
      `ticket.127.0.0.1:${machine.terminator.ports.plain}=edge.test.${'a'.repeat(32)}`,
    )
    make(path)
    // The ring is loaded and stays, as after any old ticket that cannot be tried.
    expect((await failed(machine, 'path-unsafe')).line.detail).toContain(path.slice(0, 100))
    expect(existsSync(path)).toBe(true)
  })

  test('in the place of the key file is refused and named', async () => {
    const [file = ''] = machine.terminator.keyFiles
    const held = await machine.holds()
    rmSync(file)
    make(file)
    expect((await failed(machine, 'path-unsafe')).line.detail).toContain(file)
    expect(await machine.holds()).toEqual(held)
  })
})

test.runIf(isRoot)('a device is no key file', async () => {
  const [file = ''] = machine.terminator.keyFiles
  rmSync(file)
  execFileSync('mknod', [file, 'c', '1', '3'])
  expect((await failed(machine, 'path-unsafe')).line.detail).toContain(file)
})
