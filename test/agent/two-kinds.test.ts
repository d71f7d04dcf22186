import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { advanced, Instance, type RunOptions, ringOf } from './instance.ts'
import { altered } from './program.ts'
import { StapleInstance } from './staple-instance.ts'
import { verifyListener } from './terminators.ts'
import { pathWithout } from './tool-shims.ts'

let instance: Instance | StapleInstance | undefined
afterEach(async () => {
  await instance?.stop()
  instance = undefined
})

const BOTH = {
  NGINX_KEYS: 'keys/nginx',
  HAPROXY_KEYS: 'keys/nginx/haproxy.keys',
  HAPROXY_SOCKET: 'none.sock',
}

/** A machine of a ring that serves both kinds, one generation behind. */
async function mixed(server: 'haproxy' | 'nginx'): Promise<Instance> {
  const ring = ringOf(1)
  const machine = await Instance.start(server, ring)
  instance = machine
  await machine.run()
  machine.publish(advanced(ring))
  const { directory, settings } = machine.terminator
  for (const [key, place] of Object.entries(BOTH))
    if (!settings.some((line) => line.startsWith(`${key}=`))) machine.set(`${key}=${join(directory, place)}`)
  // An nginx of another test is none of this machine's.
  if (server === 'haproxy') machine.set(`NGINX_TEST=nginx -t -c ${join(directory, 'none.conf')}`)
  for (const kind of ['HAPROXY', 'NGINX']) machine.set(`${kind}_VERIFY=${verifyListener(machine.terminator)}`)
  return machine
}

/** Ends the terminator and leaves no socket, as a machine that was started without it has none. */
async function halt({ terminator }: Instance): Promise<void> {
  await terminator.halt()
  rmSync(join(terminator.directory, 'admin.sock'), { force: true })
}

/** A run on a machine that does not have these programs, not even in the places that are added to PATH. */
function without(machine: Instance, ...programs: string[]): RunOptions {
  const { directory } = machine.terminator
  const program = altered(directory, '__main__.py', ':/usr/local/sbin:/usr/sbin:/sbin', '')
  return { environment: { PATH: pathWithout(directory, ...programs) }, program }
}

describe('a ring for machines of both kinds', () => {
  test('a HAProxy that runs is known by its socket', async () => {
    const machine = await mixed('haproxy')
    expect((await machine.run()).line).toMatchObject({ server: 'haproxy', result: 'applied' })
  })

  test('a HAProxy that is down is known by its key file, which its next start takes', async () => {
    const machine = await mixed('haproxy')
    await halt(machine)
    const { line } = await machine.run()
    expect(line).toMatchObject({ server: 'haproxy', error: 'server-not-running' })
    expect(existsSync(join(machine.terminator.directory, BOTH.NGINX_KEYS))).toBe(false)
    await machine.terminator.restart()
    const { line: second } = await machine.run()
    expect(second).toMatchObject({ server: 'haproxy', generation: 2, verified: 'handshake' })
  })

  test('an nginx is known by its key files, though HAProxy is installed', async () => {
    const machine = await mixed('nginx')
    expect((await machine.run()).line).toMatchObject({ server: 'nginx', result: 'applied' })
  })

  test.each([
    ['haproxy', 'nginx'],
    ['nginx', 'haproxy'],
  ] as const)(
    'where no key file is there, %s is known by %s being no program here',
    async (server, other) => {
      const machine = await mixed('haproxy')
      await halt(machine)
      rmSync(machine.terminator.keyFiles[0] ?? '')
      const { line } = await machine.run(without(machine, other))
      expect(line).toMatchObject({ server, error: 'server-not-running' })
    },
  )

  test('an nginx outside PATH, which its test command names, is a program like any other', async () => {
    const machine = await mixed('haproxy')
    await halt(machine)
    rmSync(machine.terminator.keyFiles[0] ?? '')
    machine.set('NGINX_TEST=/usr/sbin/nginx -t')
    const { line } = await machine.run(without(machine, 'nginx'))
    expect(line).toMatchObject({ server: '', error: 'config-invalid' })
  })

  test('where nothing tells, that is config-invalid, and SERVER in the file of the machine decides', async () => {
    const machine = await mixed('haproxy')
    await halt(machine)
    rmSync(machine.terminator.keyFiles[0] ?? '')
    for (const options of [{}, without(machine, 'haproxy', 'nginx')]) {
      const { line } = await machine.run(options)
      expect(line).toMatchObject({ server: '', error: 'config-invalid' })
      expect(line.detail).toMatch(/SERVER in \S+edge\.conf/)
    }
    machine.writeConf('SERVER=haproxy\n')
    expect((await machine.run()).line).toMatchObject({ server: 'haproxy', error: 'server-not-running' })
  })
})

describe('a set for machines of both kinds', () => {
  test.each(['file', 'directory'])(
    'a HAProxy that is down is known by a staple beside its certificate %s',
    async (form) => {
      const staples = await StapleInstance.start('haproxy')
      instance = staples
      await staples.staple({ from: -9 })
      const newer = staples.publish()
      const { directory, identity } = staples.machine.terminator
      staples.set(`NGINX_STAPLES=${identity.certificate}=${join(directory, 'nginx.ocsp')}`)
      staples.set(`NGINX_VERIFY=${staples.get('HAPROXY_VERIFY')}`)
      if (form === 'directory') staples.set(`HAPROXY_CERTS=${join(directory, 'certificates')}/`)
      await halt(staples.machine)
      expect((await staples.run()).line).toMatchObject({
        server: 'haproxy',
        error: 'server-not-running',
        held: 1,
      })
      expect(staples.installed()).toEqual(newer)
    },
  )

  test('an nginx is known by its staple', async () => {
    const staples = await StapleInstance.start('nginx')
    instance = staples
    await staples.staple({ from: -9 })
    staples.publish()
    const { directory, identity } = staples.machine.terminator
    staples.set(`HAPROXY_CERTS=${identity.site}`)
    staples.set(`HAPROXY_SOCKET=${join(directory, 'none.sock')}`)
    staples.set(`HAPROXY_VERIFY=${staples.get('NGINX_VERIFY')}`)
    expect((await staples.run()).line).toMatchObject({ server: 'nginx', result: 'applied' })
  })
})
