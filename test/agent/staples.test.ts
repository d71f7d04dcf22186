import { existsSync, readFileSync, rmSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { opensslStatus, type Span, StapleInstance } from './staple-instance.ts'

let instance: StapleInstance
afterEach(() => instance?.stop())

/** A machine that staples a fresh response. */
async function stapling(server: 'haproxy' | 'nginx', hours?: Span): Promise<Buffer> {
  instance = await StapleInstance.start(server)
  return await instance.staple(hours)
}

describe.each(['haproxy', 'nginx'] as const)('%s', (server) => {
  test('staples what the store holds, in TLS 1.2 and 1.3, and a second run changes nothing', async () => {
    instance = await StapleInstance.start(server)
    const der = instance.publish()
    expect(await instance.stapled()).toBeNull()
    const { code, line } = await instance.run(instance.told(der))
    const counts = { installed: 1, withdrawn: 0, held: 1, verified: 'handshake' }
    expect({ code, ...line }).toMatchObject({
      code: 0,
      staples: 'outer',
      server,
      result: 'applied',
      ...counts,
    })
    expect(await instance.stapled('TLSv1.2')).toEqual(der)
    expect(await instance.stapled('TLSv1.3')).toEqual(der)
    expect(opensslStatus(instance.machine.terminator.ports.plain)).toContain('Cert Status: good')
    instance.set('NGINX_RELOAD=false')
    const second = await instance.run()
    expect(second).toMatchObject({ code: 0, stderr: '' })
    expect(second.line).toMatchObject({ result: 'unchanged', installed: 0, held: 1, verified: 'handshake' })
  })

  test('a newer response takes the place of the older, and nothing brings the older back', async () => {
    const older = await stapling(server, { from: -9 })
    const newer = instance.publish()
    expect((await instance.run()).line).toMatchObject({ result: 'applied', installed: 1 })
    expect(await instance.stapled()).toEqual(newer)
    instance.storeResponse(older, { from: -9 })
    const { code, line } = await instance.run()
    expect({ code, ...line }).toMatchObject({ code: 1, error: 'staple-mismatch', installed: 0, held: 1 })
    expect(await instance.stapled()).toEqual(newer)
    expect(instance.installed()).toEqual(newer)
  })

  test('after a withdrawal nothing is stapled, and the server starts again without', async () => {
    await stapling(server)
    const { terminator } = instance.machine
    if (server === 'haproxy') instance.set(`HAPROXY_RELOAD=kill -USR2 ${terminator.pid()}`)
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

  test('booting with a staple: it is there from the first handshake', async () => {
    instance = await StapleInstance.start(server)
    const der = instance.publish()
    const { terminator } = instance.machine
    await terminator.halt()
    const { code, line } = await instance.run('all', { arguments: ['--boot', 'outer'] })
    expect({ code, ...line }).toMatchObject({ code: 0, result: 'applied', verified: 'none', held: 1 })
    await terminator.restart()
    expect(await instance.stapled()).toEqual(der)
  })

  test('a staple that an operator removed is put back', async () => {
    const der = await stapling(server)
    rmSync(instance.file)
    expect((await instance.run()).line).toMatchObject({ result: 'applied', installed: 1 })
    expect(await instance.stapled()).toEqual(der)
    expect(instance.installed()).toEqual(der)
  })
})

describe('nginx', () => {
  test('its snippet and its staple come and go together', async () => {
    await stapling('nginx')
    expect(readFileSync(`${instance.file}.conf`, 'utf8')).toContain(`ssl_stapling_file ${instance.file};`)
    instance.withdraw()
    await instance.run()
    expect(existsSync(`${instance.file}.conf`)).toBe(false)
  })
})
