import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { certificateIdOf } from '../../lambda/staples/entry.ts'
import { certify } from '../ocsp/forge.ts'
import { pemOf } from './identity.ts'
import { advanced, ask, ringOf } from './instance.ts'
import { SocketRelay } from './socket-relay.ts'
import { StapleInstance } from './staple-instance.ts'

let instance: StapleInstance
afterEach(() => instance?.stop())

/** A HAProxy that staples a fresh response. */
async function stapling(hours?: { from?: number; to?: number }): Promise<Buffer> {
  instance = await StapleInstance.start('haproxy')
  return await instance.staple(hours)
}

/** A HAProxy that may be given staples at run time, by the version that it tells. */
const SOUND = 'Name: HAProxy\nVersion: 3.5.1-1ubuntu2\nRelease_date: 2026/11/02\n\n'

/** @param info what it says of itself; null: what it says by itself. */
async function throughRelay(info: string | null = SOUND, level = 'admin'): Promise<SocketRelay> {
  const { directory } = instance.machine.terminator
  const relay = await SocketRelay.start(join(directory, 'relay.sock'), join(directory, `${level}.sock`))
  instance.set(`HAPROXY_SOCKET=${relay.path}`)
  answerWith(relay, info, () => undefined)
  return relay
}

function answerWith(relay: SocketRelay, info: string | null, others: SocketRelay['answer']): void {
  relay.answer = (line) => (info !== null && line.startsWith('show info') ? info : others(line))
}
const verbs = (relay: SocketRelay) =>
  relay.commands.map((command) => /^(set|commit|abort) ssl [\w-]+/.exec(command)?.[0]).filter(Boolean)

test('a certificate that was loaded with its .ocsp file takes the next one in one command', async () => {
  instance = await StapleInstance.start('haproxy')
  const { terminator } = instance.machine
  await terminator.halt()
  writeFileSync(instance.file, '')
  await terminator.restart()
  const der = instance.publish()
  const relay = await throughRelay()
  expect((await instance.run()).line).toMatchObject({ result: 'applied', installed: 1 })
  expect(verbs(relay)).toEqual(['set ssl ocsp-response'])
  expect(await instance.stapled()).toEqual(der)
  relay.stop()
})

test('one that was loaded without is given both in a transaction, and no reload', async () => {
  instance = await StapleInstance.start('haproxy')
  instance.publish()
  const relay = await throughRelay()
  const [name, keys] = [await instance.machine.encryptsWith(), await instance.machine.holds()]
  expect((await instance.run()).line).toMatchObject({ result: 'applied', installed: 1 })
  expect(verbs(relay)).toEqual(['set ssl ocsp-response', 'set ssl cert', 'commit ssl cert'])
  expect([await instance.machine.encryptsWith(), await instance.machine.holds()]).toEqual([name, keys])
  relay.stop()
})

test('a HAProxy that takes neither keeps what it had, and the detail says what to do', async () => {
  instance = await StapleInstance.start('haproxy')
  instance.publish()
  const relay = await throughRelay()
  answerWith(relay, SOUND, (line) =>
    line.startsWith('set ssl cert') ? "Can't allocate memory!\n\n" : undefined,
  )
  const before = await instance.condition()
  const { line } = await instance.run()
  expect(line).toMatchObject({ error: 'staple-refused', installed: 0, held: 0 })
  expect(line.detail).toMatch(/allocate memory.*restart it with one/)
  expect(await instance.condition()).toEqual(before)
  relay.stop()
})

test('what it holds is read back: an answer that says updated and is not so is not believed', async () => {
  const der = await stapling({ from: -9 })
  instance.publish()
  const relay = await throughRelay()
  answerWith(relay, SOUND, (line) =>
    line.startsWith('set ssl ocsp') ? 'OCSP Response updated!\n\n' : undefined,
  )
  expect((await instance.run()).line).toMatchObject({ error: 'socket-unexpected', installed: 0, held: 1 })
  expect(instance.installed()).toEqual(der)
  relay.stop()
})

test('it cannot forget without a reload: said with the time, until which it staples on', async () => {
  const der = await stapling()
  instance.withdraw()
  instance.set('HAPROXY_RELOAD=')
  const { line } = await instance.run()
  expect(line).toMatchObject({ error: 'verify-still-stapled', withdrawn: 1, held: 0 })
  expect(line.detail).toMatch(/until \w+ \d+ .*HAPROXY_RELOAD/)
  expect(instance.installed()).toBeNull()
  expect(await instance.stapled()).toEqual(der)
})

test('a withdrawal that was left to HAProxy is made up for once a reload is permitted', async () => {
  await stapling()
  instance.withdraw()
  instance.set('HAPROXY_RELOAD=')
  await instance.run()
  instance.set(`HAPROXY_RELOAD=kill -USR2 ${instance.machine.terminator.pid()}`)
  expect((await instance.run()).line).toMatchObject({ result: 'applied', verified: 'handshake', held: 0 })
  expect(await instance.stapled()).toBeNull()
})

test('a response that HAProxy would not take is not tried', async () => {
  instance = await StapleInstance.start('haproxy')
  instance.publish({}, {}, 'its CertID is of sha256, HAProxy looks for SHA-1')
  const { line } = await instance.run()
  expect(line).toMatchObject({ error: 'staple-refused', held: 0 })
  expect(line.detail).toContain('looks for SHA-1')
  expect(instance.installed()).toBeNull()
})

test('beside a PEM file without its issuer no .ocsp is put: HAProxy would not start', async () => {
  instance = await StapleInstance.start('haproxy')
  instance.publish()
  const { site } = instance.machine.terminator.identity
  const [leaf = '', , key = ''] = readFileSync(site, 'utf8').split(/(?<=-----END [A-Z ]+-----\n)/)
  writeFileSync(site, leaf + key)
  const { line } = await instance.run()
  expect(line).toMatchObject({ error: 'staple-refused', installed: 0 })
  expect(line.detail).toContain('lacks its issuer')
  expect(instance.installed()).toBeNull()
})

test('a directory of certificates: each is known by its content, other files are left alone', async () => {
  instance = await StapleInstance.start('haproxy')
  const der = instance.publish()
  const folder = dirname(instance.file)
  writeFileSync(join(folder, 'dh.pem'), 'no certificate')
  writeFileSync(join(folder, 'odd name.pem'), 'no certificate')
  instance.set(`HAPROXY_CERTS=${folder}`)
  const { line, stderr } = await instance.run()
  expect(line).toMatchObject({ result: 'applied', installed: 1, held: 1 })
  expect(stderr).toMatch(/leaving out .*dh\.pem/)
  expect(instance.installed()).toEqual(der)
  expect((await instance.condition()).left).toEqual(['dh.pem', 'odd name.pem', 'site.pem', 'site.pem.ocsp'])
})

test.each([
  ['by the name that haproxy.cfg has', (site: string) => site],
  ['by its directory', dirname],
])('a bundle of a certificate for each kind of key is found %s', async (_, named) => {
  instance = await StapleInstance.start('haproxy')
  const { terminator } = instance.machine
  const { site } = terminator.identity
  await terminator.halt()
  renameSync(site, `${site}.ecdsa`)
  await terminator.restart()
  instance.set(`HAPROXY_CERTS=${named(site)}`)
  const der = instance.publish()
  expect((await instance.run()).line).toMatchObject({
    result: 'applied',
    installed: 1,
    verified: 'handshake',
  })
  expect(readFileSync(`${site}.ecdsa.ocsp`)).toEqual(der)
  expect(await instance.stapled()).toEqual(der)
})

test('twelve certificates are asked for in two calls, and a bad entry of one does not hold up the others', async () => {
  instance = await StapleInstance.start('haproxy')
  const { fetches } = instance.machine.endpoint
  const der = instance.publish()
  const folder = dirname(instance.file)
  const others = Array.from({ length: 11 }, (_, index) =>
    certify(new Date(), { serial: Buffer.of(7, index), extensions: [] }),
  )
  for (const [index, party] of others.entries()) writeFileSync(join(folder, `${index}.pem`), pemOf(party))
  const [bad] = others
  if (bad !== undefined) instance.store('{}', certificateIdOf(bad.certificate))
  instance.set(`HAPROXY_CERTS=${folder}`)
  const { line } = await instance.run()
  expect(line).toMatchObject({ result: 'failed', error: 'staple-malformed', installed: 1, held: 1 })
  expect(instance.machine.endpoint.fetches - fetches).toBe(2)
  expect(await instance.stapled()).toEqual(der)
})

test('a renewed certificate that HAProxy does not run yet: its staple waits beside it', async () => {
  instance = await StapleInstance.start('haproxy')
  instance.renew()
  const der = instance.publish()
  const { line, stderr } = await instance.run()
  expect(line).toMatchObject({ result: 'applied', installed: 1, verified: 'none' })
  expect(stderr).toMatch(/for its next start[\s\S]*no listener of/)
  expect(instance.installed()).toEqual(der)
  expect((await instance.run()).line).toMatchObject({ result: 'unchanged', verified: 'none' })
  await instance.machine.terminator.halt()
  await instance.machine.terminator.restart()
  expect(await instance.stapled()).toEqual(der)
})

test('the socket of an operator is told apart', async () => {
  instance = await StapleInstance.start('haproxy')
  instance.publish()
  await throughRelay(SOUND, 'operator')
  expect((await instance.run()).line).toMatchObject({ error: 'socket-not-admin' })
  const shown = await ask(join(instance.machine.terminator.directory, 'admin.sock'), 'show ssl cert')
  expect(shown).not.toContain('transaction')
})

test('a file that cannot be written is write-failed, and no failed run counts as a success', async () => {
  instance = await StapleInstance.start('haproxy')
  instance.publish()
  mkdirSync(join(dirname(instance.file), '.site.pem.ocsp.new'))
  expect((await instance.run()).line).toMatchObject({ result: 'failed', installed: 0, held: 0 })
})

test.each([
  ['of this machine', null],
  ['3.5-dev3', 'Name: HAProxy\nVersion: 3.5-dev3-0a1b2c\n\n'],
  ['that tells none', 'Name: HAProxy\n\n'],
])('a HAProxy %s is given staples by file and reload, never at run time', async (_, info) => {
  instance = await StapleInstance.start('haproxy')
  for (const from of [-9, -1]) {
    const der = instance.publish({ from })
    const relay = await throughRelay(info)
    expect((await instance.run()).line).toMatchObject({
      result: 'applied',
      installed: 1,
      verified: 'handshake',
    })
    expect(verbs(relay)).toEqual([])
    expect(await instance.stapled()).toEqual(der)
    expect((await instance.run()).line).toMatchObject({ result: 'unchanged', held: 1 })
    relay.stop()
    rmSync(relay.path, { force: true })
  }
})

test('without a command that reloads it the staple is left for its next start, and said', async () => {
  instance = await StapleInstance.start('haproxy')
  const der = instance.publish()
  instance.set('HAPROXY_RELOAD=')
  const { line } = await instance.run()
  expect(line).toMatchObject({ error: 'reload-failed', serverVersion: expect.stringMatching(/^\d+\.\d+/) })
  expect(line.detail).toContain('HAPROXY_RELOAD')
  expect(instance.installed()).toEqual(der)
  expect(await instance.stapled()).toBeNull()
})

test('a staple waits for a ring that is on its way, before it reloads', async () => {
  instance = await StapleInstance.start('haproxy')
  const { machine } = instance
  await machine.run()
  machine.publish(advanced(ringOf(1)))
  instance.publish()
  const { directory } = machine.terminator
  const relay = await SocketRelay.start(join(directory, 'ring.sock'), join(directory, 'admin.sock'))
  machine.set(`HAPROXY_SOCKET=${relay.path}`)
  instance.set(`HAPROXY_SOCKET=${relay.path}`)
  const order: string[] = []
  const pushing = new Promise<void>((resolve) => {
    relay.before = async (line) => {
      if (!line.startsWith('set ssl tls-key')) return
      resolve()
      await sleep(1_000)
    }
  })
  const ring = machine.run().then(({ line }) => order.push(`ring ${line.result}`))
  await pushing
  const staple = instance.run().then(({ line }) => order.push(`staple ${line.result}`))
  await Promise.all([ring, staple])
  expect(order).toEqual(['ring applied', 'staple applied'])
  relay.stop()
})
