/** What holds of the program alone: paths that lead elsewhere, a killed run, a staple that is not the one delivered. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { certify, UNKNOWN } from '../ocsp/forge.ts'
import { pemOf } from './identity.ts'
import { ask, type RunOptions } from './instance.ts'
import { AGENT, altered } from './program.ts'
import { StapleInstance, type StapleRun } from './staple-instance.ts'
import { killing } from './tool-shims.ts'

let instance: StapleInstance
afterEach(() => instance?.stop())

const run = (options: RunOptions = {}): Promise<StapleRun> => instance.run('all', options)

async function started(server: 'haproxy' | 'nginx'): Promise<Buffer> {
  instance = await StapleInstance.start(server)
  return instance.publish({ from: -9 })
}

/** Another certificate of this machine, of which the store has nothing. */
function addPair(certificate: string, staple: string): void {
  instance.set(`NGINX_STAPLES=${instance.get('NGINX_STAPLES')} ${certificate}=${staple}`)
}

function newCertificate(): string {
  const file = join(instance.machine.terminator.directory, 'other.pem')
  writeFileSync(file, pemOf(certify(new Date(), { serial: Buffer.of(9), extensions: [] })))
  return file
}

describe.each(['haproxy', 'nginx'] as const)('%s', (server) => {
  test.each([
    [1, 'before'],
    [1, 'after'],
    [2, 'before'],
    [2, 'after'],
    [3, 'after'],
  ] as const)(
    'killed at handshake %i, %s it: it staples on, and the next run ends well',
    async (call, when) => {
      const older = await started(server)
      await run()
      const newer = instance.publish()
      const { directory } = instance.machine.terminator
      const log = join(directory, 'calls')
      const killed = await run({ prefix: killing('fork,vfork,clone,clone3', call, when, log) })
      expect(readFileSync(log, 'utf8')).toContain('killed by SIGUSR1')
      expect(killed.stdout).toBe('')
      expect([older, newer]).toContainEqual(await instance.stapled())
      expect((await run()).line).toMatchObject({ held: 1, verified: 'handshake' })
      expect(await instance.stapled()).toEqual(newer)
      expect(readdirSync(dirname(instance.file)).filter((name) => name.startsWith('.'))).toEqual([])
      expect((await run()).line.result).toBe('unchanged')
    },
  )

  test('a link in the place of a staple is path-unsafe, and what it leads to stays', async () => {
    await started(server)
    const target = join(instance.machine.terminator.directory, 'target')
    writeFileSync(target, 'kept')
    mkdirSync(dirname(instance.file), { recursive: true })
    symlinkSync(target, instance.file)
    expect((await run()).line).toMatchObject({ error: 'path-unsafe', installed: 0 })
    expect(readFileSync(target, 'utf8')).toBe('kept')
  })

  test('a directory of staples that others may write is path-unsafe', async () => {
    await started(server)
    mkdirSync(dirname(instance.file), { recursive: true })
    chmodSync(dirname(instance.file), 0o777)
    const { line } = await run()
    expect(line).toMatchObject({ error: 'path-unsafe', installed: 0, held: 0 })
    expect(line.detail).toContain(dirname(instance.file))
    expect(instance.installed()).toBeNull()
  })
})

test('a HAProxy that holds another response of the same times is given the delivered one', async () => {
  const der = await started('haproxy')
  await run()
  const twin = instance.respond({ from: -9 }, {}, { producedAt: new Date(0) })
  const answer = await ask(
    join(instance.machine.terminator.directory, 'admin.sock'),
    `set ssl ocsp-response <<\n${twin.toString('base64')}\n`,
  )
  expect(answer).toContain('updated')
  expect(await instance.stapled()).toEqual(twin)
  expect((await run()).line).toMatchObject({ result: 'applied', installed: 0, held: 1 })
  expect(await instance.stapled()).toEqual(der)
})

test('a run whose time is up has nginx go back to the old staple all the same', async () => {
  await started('nginx')
  const older = await instance.staple({ from: -9 })
  instance.publish()
  const { directory } = instance.machine.terminator
  const [script, late] = [join(directory, 'reload'), join(directory, 'late')]
  // The first reload does not end, and from it on the time of whatever waited before is up.
  const reload = instance.get('NGINX_RELOAD')
  writeFileSync(
    script,
    `#!/bin/sh\n[ -e ${late} ] || { >${late}; exec sleep 600; }\nsleep 0.3\nexec ${reload}\n`,
    {
      mode: 0o755,
    },
  )
  instance.set(`NGINX_RELOAD=${script}`)
  const reloads = instance.reloads()
  const { line } = await run({ program: runningOut(directory, late) })
  expect(line).toMatchObject({ error: 'reload-failed', installed: 0, held: 1 })
  expect(line.detail).not.toContain('bringing')
  await expect.poll(() => instance.reloads() - reloads).toBe(1)
  expect(instance.installed()).toEqual(older)
})

/** The program with deadlines that have all passed once a file is there, but for those that are made after it. */
function runningOut(directory: string, file: string): string {
  const made = `self._early = within._early if within else not __import__("os").path.exists("${file}")`
  const left = `if self._early and __import__("os").path.exists("${file}"):\n            return 0.0`
  const clock = readFileSync(join(AGENT, 'ticketring', 'clock.py'), 'utf8')
  const text = clock.replace('end = time', `${made}\n        end = time`)
  return altered(directory, 'clock.py', clock, text.replace('return max', `${left}\n        return max`))
}

test('a status that says nothing of the certificate is staple-malformed', async () => {
  await started('nginx')
  instance.storeResponse(instance.respond({}, { status: UNKNOWN }))
  const { line } = await run()
  expect(line).toMatchObject({ error: 'staple-malformed', installed: 0, held: 0 })
  expect(line.detail).toContain('unknown')
})

test('a certificate that a link leads to is read, as Let’s Encrypt’s clients lay them out', async () => {
  const der = await started('nginx')
  const { certificate } = instance.machine.terminator.identity
  renameSync(certificate, `${certificate}.1`)
  symlinkSync(`${basename(certificate)}.1`, certificate)
  expect((await run()).line).toMatchObject({ result: 'applied', installed: 1, verified: 'handshake' })
  expect(await instance.stapled()).toEqual(der)
})

test.each([
  ['a FIFO', (file: string) => void execFileSync('mkfifo', [file])],
  ['a directory', (file: string) => void mkdirSync(file)],
  ['nothing', () => {}],
  [
    'half a certificate',
    (file: string) => writeFileSync(file, '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'),
  ],
])(
  '%s in the place of one certificate is certificate-unreadable, and the others are served',
  async (_, make) => {
    const der = await started('nginx')
    const file = join(instance.machine.terminator.directory, 'odd.pem')
    make(file)
    addPair(file, join(dirname(instance.file), 'odd.ocsp'))
    const { line } = await run()
    expect(line).toMatchObject({ error: 'certificate-unreadable', installed: 1, held: 1 })
    expect(line.detail).toContain(file)
    expect(await instance.stapled()).toEqual(der)
  },
)

test('one file for the staples of two certificates is config-invalid, and nothing is written', async () => {
  await started('nginx')
  addPair(newCertificate(), instance.file)
  const { line } = await run()
  expect(line).toMatchObject({ error: 'config-invalid', installed: 0 })
  expect(line.detail).toContain(instance.file)
  expect(instance.installed()).toBeNull()
})

test('a directory of one certificate’s staple that others may write holds up no other certificate', async () => {
  const der = await started('nginx')
  const open = join(instance.machine.terminator.directory, 'open')
  mkdirSync(open)
  chmodSync(open, 0o777)
  addPair(newCertificate(), join(open, 'other.ocsp'))
  const { line } = await run()
  expect(line).toMatchObject({ error: 'path-unsafe', installed: 1, held: 1 })
  expect(await instance.stapled()).toEqual(der)
})

test.each([
  ['a line end of another system', 'VERIFY_WAIT=2\r\n'],
  ['a NUL', 'VERIFY_WAIT=2\0\n'],
  ['a byte-order mark', '\ufeffVERIFY_WAIT=2\n'],
])('%s in the file of the machine is config-invalid', async (_, text) => {
  await started('nginx')
  instance.machine.writeConf(text, 'outer.staples')
  expect((await run()).line).toMatchObject({ error: 'config-invalid', installed: 0 })
})
