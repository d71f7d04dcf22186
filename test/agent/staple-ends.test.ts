import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { refusal } from './endpoint.ts'
import { NO_WAIT } from './instance.ts'
import { type Span, StapleInstance } from './staple-instance.ts'

let instance: StapleInstance
afterEach(() => instance?.stop())

/** A machine that staples a fresh response. */
async function stapling(server: 'haproxy' | 'nginx', hours?: Span): Promise<Buffer> {
  instance = await StapleInstance.start(server)
  return await instance.staple(hours)
}

/** A run that finds the store's response at its end removes it, and says why nothing takes its place. */
async function expectEnded(): Promise<void> {
  const { code, line } = await instance.run()
  expect({ code, ...line }).toMatchObject({ code: 1, error: 'staple-expired', withdrawn: 1, held: 0 })
  expect(instance.installed()).toBeNull()
  expect(await instance.stapled()).toBeNull()
  expect((await instance.run()).line).toMatchObject({ error: 'staple-expired', withdrawn: 0, held: 0 })
}

describe.each(['haproxy', 'nginx'] as const)('%s', (server) => {
  test('booting without a staple is a success, and the server starts', async () => {
    instance = await StapleInstance.start(server)
    const { terminator } = instance.machine
    await terminator.halt()
    const { code, line } = await instance.run('all', { arguments: ['--boot', 'outer'] })
    expect({ code, ...line }).toMatchObject({ code: 0, result: 'unchanged', held: 0 })
    await terminator.restart()
    expect(await instance.stapled()).toBeNull()
  })

  test('a server that is down: the files are put in place for its start', async () => {
    instance = await StapleInstance.start(server)
    const der = instance.publish()
    await instance.machine.terminator.halt()
    expect((await instance.run()).line).toMatchObject({ error: 'server-not-running', installed: 1, held: 1 })
    await instance.machine.terminator.restart()
    expect(await instance.stapled()).toEqual(der)
  })

  test('what has come to its end goes, though the store cannot be reached', async () => {
    instance = await StapleInstance.start(server)
    mkdirSync(dirname(instance.file), { recursive: true })
    writeFileSync(instance.file, instance.respond({ from: -9, to: -1 }))
    const { line } = await instance.run('all', { environment: { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' } })
    expect(line).toMatchObject({ error: 'endpoint-unreachable', withdrawn: 1, held: 0 })
    expect(instance.installed()).toBeNull()
  })

  test('by a clock that AWS calls wrong nothing has come to its end', async () => {
    instance = await StapleInstance.start(server)
    mkdirSync(dirname(instance.file), { recursive: true })
    const der = instance.respond({ from: -9, to: -1 })
    writeFileSync(instance.file, der)
    const said = 'Signature not yet current: 20261121T200000Z is still later than 20261121T193500Z'
    instance.machine.endpoint.parameters = refusal('InvalidSignatureException', said)
    expect((await instance.run()).line).toMatchObject({ error: 'clock-skew', withdrawn: 0 })
    expect(instance.installed()).toEqual(der)
  })

  test('what has come to the end that the store names goes, though its nextUpdate is later', async () => {
    const der = await stapling(server)
    if (server === 'haproxy') instance.set(`HAPROXY_RELOAD=kill -USR2 ${instance.machine.terminator.pid()}`)
    instance.storeResponse(der, { end: -0.1 })
    await expectEnded()
  })

  test('a listener that asks for a client certificate shows its staple all the same', async () => {
    instance = await StapleInstance.start(server)
    instance.publish()
    instance.verifyOn('client-certificate', 'tls12')
    expect((await instance.run()).line).toMatchObject({ result: 'applied', verified: 'handshake' })
  })

  test('a listener behind PROXY protocol is named, and nothing is touched', async () => {
    instance = await StapleInstance.start(server)
    instance.publish()
    instance.verifyOn('plain', 'proxy')
    const before = await instance.condition()
    expect((await instance.run()).line).toMatchObject({ error: 'verify-proxy-protocol', installed: 0 })
    expect(await instance.condition()).toEqual(before)
  })
})

describe('nginx', () => {
  test('what has no nextUpdate goes at the end that the store names, and not before', async () => {
    const der = await stapling('nginx', { to: 'none' })
    expect((await instance.run()).line).toMatchObject({ result: 'unchanged', held: 1 })
    instance.storeResponse(der, { to: 'none', end: -0.1 })
    await expectEnded()
  })

  test('what has ended goes though nginx refuses its configuration', async () => {
    const der = await stapling('nginx')
    instance.storeResponse(der, { end: -0.1 })
    instance.set('NGINX_TEST=false')
    const { line } = await instance.run()
    expect(line).toMatchObject({ error: 'config-test-failed', withdrawn: 1, held: 0 })
    expect(instance.installed()).toBeNull()
    await expect.poll(() => instance.stapled()).toBeNull()
  })

  test('a configuration that nginx refuses is config-test-failed, and all is as before', async () => {
    const der = await stapling('nginx', { from: -9 })
    instance.publish()
    const reloads = instance.reloads()
    instance.set('NGINX_TEST=false')
    expect((await instance.run()).line).toMatchObject({ error: 'config-test-failed', installed: 0, held: 1 })
    expect(instance.installed()).toEqual(der)
    expect(await instance.stapled()).toEqual(der)
    expect(instance.reloads()).toBe(reloads)
  })

  test('a reload that fails is reload-failed, and the old staple stays', async () => {
    const der = await stapling('nginx', { from: -9 })
    instance.publish()
    instance.set('NGINX_RELOAD=false')
    expect((await instance.run()).line).toMatchObject({ error: 'reload-failed', installed: 0, held: 1 })
    expect(instance.installed()).toEqual(der)
    expect(await instance.stapled()).toEqual(der)
  })

  test('a reload that does nothing is noticed by the handshake', async () => {
    instance = await StapleInstance.start('nginx')
    instance.publish()
    instance.set('NGINX_RELOAD=true')
    instance.set(NO_WAIT)
    expect((await instance.run()).line).toMatchObject({ error: 'reload-not-taken', installed: 0 })
    expect(instance.installed()).toBeNull()
  })
})
