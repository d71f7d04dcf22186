/** What the system refuses while staples are put in place: said by its code, and the server staples on. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { StapleError } from '../../lambda/staples/result-line.ts'
import { StapleInstance } from './staple-instance.ts'

let instance: StapleInstance
afterEach(() => instance?.stop())

/** Words that have the kernel refuse this call, the first of what follows. */
function refusing(call: string, error: string, log: string): readonly string[] {
  return ['strace', '-qq', '-e', `trace=${call}`, '-e', `inject=${call}:error=${error}:when=1`, '-o', log]
}

async function runWithout(call: string, error: string) {
  const log = join(instance.machine.terminator.directory, 'calls')
  const run = await instance.run('all', { prefix: refusing(call, error, log) })
  expect(readFileSync(log, 'utf8')).toContain('(INJECTED)')
  return run
}

test.each<[call: string, error: string, StapleError]>([
  ['linkat', 'ENOSPC', 'disk-full'],
  ['linkat', 'EPERM', 'write-failed'],
  ['renameat', 'ENOSPC', 'disk-full'],
  ['renameat', 'EPERM', 'write-failed'],
  ['unlinkat', 'EROFS', 'write-failed'],
])('%s that ends in %s is %s, with the name of the file', async (call, error, code) => {
  instance = await StapleInstance.start('nginx')
  const older = await instance.staple({ from: -9 })
  instance.publish()
  const { line } = await runWithout(call, error)
  expect(line).toMatchObject({
    error: code,
    installed: 0,
    detail: expect.stringContaining(basename(instance.file)),
  })
  expect(instance.installed()).toEqual(older)
  expect(await instance.stapled()).toEqual(older)
  expect(readdirSync(dirname(instance.file)).filter((name) => name.startsWith('.'))).toEqual([])
})

test('where there is no room to note the time of a reload, the reload counts all the same', async () => {
  instance = await StapleInstance.start('nginx')
  const der = instance.publish()
  const { line } = await runWithout('pwrite64', 'ENOSPC')
  expect(line).toMatchObject({ result: 'applied', installed: 1, verified: 'handshake' })
  expect(await instance.stapled()).toEqual(der)
})

test('a machine that has no terminal to give is tool-missing, and staples on', async () => {
  instance = await StapleInstance.start('nginx')
  const older = await instance.staple({ from: -9 })
  instance.publish()
  const prefix = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs tmpfs /dev/pts; exec "$@"', 'sh']
  const { line } = await instance.run('all', { prefix })
  expect(line).toMatchObject({
    error: 'tool-missing',
    installed: 0,
    detail: expect.stringContaining('/dev/ptmx'),
  })
  expect(instance.installed()).toEqual(older)
  expect(await instance.stapled()).toEqual(older)
})
