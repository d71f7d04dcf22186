/** What holds of each kind of server that takes a staple from a file, beside HAProxy and nginx. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { dirname, join } from 'node:path'
import { connect } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { SERVER_NAME } from './identity.ts'
import { NO_WAIT } from './instance.ts'
import { resumes, takeSession, VERSIONS } from './sessions.ts'
import { opensslStatus, type Span, StapleInstance, type StapleKind } from './staple-instance.ts'

const PATIENCE = { timeout: 60_000 }
let instance: StapleInstance
afterEach(() => instance?.stop())

const sessionsOf = (port: number) => Promise.all(VERSIONS.map((version) => takeSession(port, version)))

/** A machine that staples a fresh response. */
async function stapling(server: StapleKind, hours?: Span): Promise<Buffer> {
  instance = await StapleInstance.start(server)
  return await instance.staple(hours)
}

describe.each(['h2o', 'trafficserver'] as const)('%s', (kind) => {
  test('staples what the store holds, in TLS 1.2 and 1.3, and a second run changes nothing', async () => {
    instance = await StapleInstance.start(kind)
    const der = instance.publish()
    expect(await instance.stapled()).toBeNull()
    const { code, line } = await instance.run(instance.told(der))
    const counts = { installed: 1, withdrawn: 0, held: 1, verified: 'handshake' }
    expect({ code, ...line }).toMatchObject({ code: 0, server: kind, result: 'applied', ...counts })
    expect(await instance.stapled('TLSv1.2')).toEqual(der)
    expect(await instance.stapled('TLSv1.3')).toEqual(der)
    expect(opensslStatus(instance.machine.terminator.ports.plain)).toContain('Cert Status: good')
    const second = await instance.run()
    expect(second).toMatchObject({ code: 0, stderr: '' })
    expect(second.line).toMatchObject({ result: 'unchanged', installed: 0, held: 1, verified: 'handshake' })
  })

  test('a newer response takes the place of the older', async () => {
    await stapling(kind, { from: -9 })
    const newer = instance.publish()
    expect((await instance.run()).line).toMatchObject({ result: 'applied', installed: 1 })
    expect(await instance.stapled()).toEqual(newer)
  })

  test('after a withdrawal nothing is stapled, and the server starts again without', async () => {
    await stapling(kind)
    const { terminator } = instance.machine
    instance.withdraw()
    const { code, line } = await instance.run(`${instance.id}=withdrawn`)
    expect({ code, ...line }).toMatchObject({ code: 0, result: 'applied', withdrawn: 1, held: 0 })
    expect(await instance.stapled()).toBeNull()
    expect(instance.installed()).toBeNull()
    expect((await instance.run()).line).toMatchObject({ result: 'unchanged', withdrawn: 0 })
    await terminator.halt()
    await terminator.restart()
    expect(await instance.stapled()).toBeNull()
  })

  test('what has come to its end goes, though the store cannot be reached', async () => {
    await stapling(kind)
    mkdirSync(dirname(instance.file), { recursive: true })
    writeFileSync(instance.file, instance.respond({ from: -9, to: -1 }))
    const { line } = await instance.run('all', { environment: { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' } })
    expect(line).toMatchObject({ error: 'endpoint-unreachable', withdrawn: 1, held: 0 })
    expect(instance.installed()).toBeNull()
    await expect.poll(() => instance.stapled(), PATIENCE).toBeNull()
  })

  test('that does not run finds the file at its next start', async () => {
    instance = await StapleInstance.start(kind)
    const der = instance.publish()
    await instance.machine.terminator.halt()
    expect((await instance.run()).line).toMatchObject({ error: 'server-not-running', installed: 1, held: 1 })
    await instance.machine.terminator.restart()
    await expect.poll(() => instance.stapled(), PATIENCE).toEqual(der)
  })

  test('resumes the tickets of before, and keeps a connection that is open, while it loads', async () => {
    instance = await StapleInstance.start(kind)
    const { plain } = instance.machine.terminator.ports
    const [sessions, name] = [await sessionsOf(plain), await instance.machine.encryptsWith()]
    const socket = connect({
      port: plain,
      host: '127.0.0.1',
      servername: SERVER_NAME,
      rejectUnauthorized: false,
    })
    await new Promise((resolve) => socket.once('secureConnect', resolve))
    await instance.staple()
    expect(await instance.machine.encryptsWith()).toBe(name)
    const resumed = VERSIONS.map((version, at) => resumes(plain, version, sessions[at] as Buffer))
    expect(await Promise.all(resumed)).toEqual([true, true])
    const answer = new Promise<string>((resolve, reject) => {
      socket.once('data', (data) => resolve(data.toString('latin1')))
      socket.once('close', () => reject(new Error('closed')))
    })
    socket.write(`GET / HTTP/1.1\r\nHost: ${SERVER_NAME}\r\n\r\n`)
    expect(await answer).toContain('HTTP/1.1 ')
    socket.destroy()
  })
})

describe('h2o', () => {
  test('whose command prints nothing says so of the handshake, and the detail what to look at', async () => {
    instance = await StapleInstance.start('h2o')
    writeFileSync(join(instance.machine.terminator.directory, 'staple'), '#!/bin/sh\nexit 75\n')
    instance.publish()
    instance.set(NO_WAIT)
    const { line } = await instance.run()
    expect(line).toMatchObject({ error: 'verify-no-staple', installed: 0, held: 0 })
    expect(line.detail).toContain('ocsp-update-cmd')
  })
})

describe('trafficserver', () => {
  const list = () =>
    join(instance.machine.terminator.directory, 'trafficserver', 'etc', 'ssl_multicert.config')
  const records = () => join(dirname(list()), 'records.config')

  async function restartedWith(file: string, change: (text: string) => string): Promise<void> {
    const { terminator } = instance.machine
    await terminator.halt()
    writeFileSync(file, change(readFileSync(file, 'utf8')))
    await terminator.restart()
  }

  /** Counts who asks the responder that the certificate names. */
  async function withResponder(): Promise<() => number> {
    let asked = 0
    const server = createServer((_, answer) => {
      asked += 1
      answer.writeHead(500).end()
    })
    responder = server
    const port = Number(new URL(instance.machine.terminator.identity.responder ?? '').port)
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return () => asked
  }
  let responder: Server | undefined
  afterEach(() => {
    responder?.close()
    responder = undefined
  })

  test('asks the responder itself once its own time is over, and never with the line that the documentation has', async () => {
    instance = await StapleInstance.start('trafficserver')
    const { directory } = instance.machine.terminator
    const log = join(directory, 'trafficserver', 'log', 'diags.log')
    const looks = () => readFileSync(log, 'utf8').split('updating OCSP data').length - 1
    const asked = await withResponder()
    await instance.staple()
    await restartedWith(records(), (text) => text + LOOKING_EACH_SECOND)
    await expect.poll(looks, PATIENCE).toBeGreaterThan(2)
    expect(asked()).toBe(0)
    await restartedWith(records(), (text) => text.replace('INT 2147483647', 'INT 1'))
    await expect.poll(asked, PATIENCE).toBeGreaterThan(0)
  })

  test('that is not to staple says so of the handshake, and the detail what to look at', async () => {
    instance = await StapleInstance.start('trafficserver')
    await restartedWith(records(), (text) => text.replace('ocsp.enabled INT 1', 'ocsp.enabled INT 0'))
    instance.publish()
    instance.set(NO_WAIT)
    const { line } = await instance.run()
    expect(line).toMatchObject({ error: 'verify-no-staple', installed: 0, held: 0 })
    expect(line.detail).toContain('ssl.ocsp.enabled is 1')
  })

  test('is not touched where a line of its list has two certificates: without the second one’s staple it crashes', async () => {
    instance = await StapleInstance.start('trafficserver')
    writeFileSync(list(), `${readFileSync(list(), 'utf8').trim()},/run/other.ocsp\n`)
    instance.publish()
    const before = await instance.condition()
    const { line } = await instance.run()
    expect(line).toMatchObject({ error: 'config-invalid', installed: 0 })
    expect(line.detail).toContain('a line for each certificate')
    expect(await instance.condition()).toEqual(before)
  })

  test('whose list is elsewhere is told which setting names it', async () => {
    instance = await StapleInstance.start('trafficserver')
    instance.publish()
    instance.set('TRAFFICSERVER_CERTIFICATES=/nonexistent/ssl_multicert.config')
    const { line } = await instance.run()
    expect(line).toMatchObject({ error: 'config-invalid', installed: 0 })
    expect(line.detail).toContain('TRAFFICSERVER_CERTIFICATES')
  })

  test('whose reload fails keeps what it had', async () => {
    const der = await stapling('trafficserver', { from: -9 })
    instance.publish()
    instance.set('TRAFFICSERVER_RELOAD=false')
    expect((await instance.run()).line).toMatchObject({ error: 'reload-failed', installed: 0, held: 1 })
    expect(instance.installed()).toEqual(der)
    expect(await instance.stapled()).toEqual(der)
  })
})

const LOOKING_EACH_SECOND = `CONFIG proxy.config.ssl.ocsp.update_period INT 1
CONFIG proxy.config.diags.debug.enabled INT 1
CONFIG proxy.config.diags.debug.tags STRING ssl_ocsp
CONFIG proxy.config.diags.output.debug STRING L
`
