/** lighttpd looks for staples once in 64 seconds, and nothing makes it look sooner: so all of these wait side by side. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, type TestContext, test, vi } from 'vitest'
import { GOOD, revoked } from '../ocsp/forge.ts'
import { opensslStatus, StapleInstance } from './staple-instance.ts'

/** Each of a few runs may wait for two looks. */
const LONG = { timeout: 900_000 }
/** In hours: a staple that ends so soon that lighttpd looks for another one at each look. */
const SOON = 250 / 3600

/** Of tests that run side by side, each knows by its context when it has finished. */
async function startOne({ onTestFinished }: Pick<TestContext, 'onTestFinished'>): Promise<StapleInstance> {
  const instance = await StapleInstance.start('lighttpd')
  onTestFinished(() => instance.stop())
  for (const line of ['RUN_SECONDS=230', 'LOCK_WAIT=160']) instance.set(line)
  return instance
}

async function restart({ machine }: StapleInstance): Promise<void> {
  await machine.terminator.halt()
  await machine.terminator.restart()
}

describe.concurrent('lighttpd', () => {
  test(
    'staples what the store holds, and keeps it until near its end: a newer one waits in its file, one that revokes fails',
    LONG,
    async (context) => {
      const instance = await startOne(context)
      const der = instance.publish({ from: -9 })
      expect(await instance.stapled()).toBeNull()
      const { code, line } = await instance.run(instance.told(der))
      const counts = { installed: 1, withdrawn: 0, held: 1, verified: 'handshake' }
      expect({ code, ...line }).toMatchObject({ code: 0, server: 'lighttpd', result: 'applied', ...counts })
      expect([await instance.stapled('TLSv1.2'), await instance.stapled('TLSv1.3')]).toEqual([der, der])
      expect(opensslStatus(instance.machine.terminator.ports.plain)).toContain('Cert Status: good')
      expect(await instance.run()).toMatchObject({ code: 0, stderr: '' })

      const newer = instance.publish()
      const waiting = await instance.run()
      expect(waiting).toMatchObject({ code: 0, line: { result: 'applied', installed: 1, verified: 'none' } })
      expect(waiting.stderr).toContain('lighttpd looks for another 256 s before its end, or when it starts')
      expect([instance.installed(), await instance.stapled()]).toEqual([newer, der])
      const again = await instance.run()
      expect(again).toMatchObject({ code: 0, line: { result: 'unchanged', held: 1, verified: 'none' } })

      const bad = instance.publish({}, { status: revoked(new Date()) })
      const { line: hidden } = await instance.run()
      expect(hidden).toMatchObject({ error: 'verify-still-stapled', installed: 1, held: 1 })
      expect([instance.installed(), await instance.stapled()]).toEqual([bad, der])
      await restart(instance)
      expect(await instance.stapled()).toEqual(bad)
      expect((await instance.run()).line).toMatchObject({ result: 'unchanged', verified: 'handshake' })
      instance.publish({}, { status: GOOD })
      const { line: cleared } = await instance.run()
      expect(cleared).toMatchObject({ error: 'verify-still-stapled', installed: 1 })
    },
  )

  test(
    'is told of a withdrawal by its next start alone, and the line says so until then',
    LONG,
    async (context) => {
      const instance = await startOne(context)
      const der = await instance.staple()
      instance.withdraw()
      const { line } = await instance.run(`${instance.id}=withdrawn`)
      expect(line).toMatchObject({ error: 'verify-still-stapled', withdrawn: 1, held: 0 })
      expect(line.detail).toContain('lighttpd drops it at its end, or when it starts')
      expect([instance.installed(), await instance.stapled()]).toEqual([null, der])
      expect((await instance.run()).line).toMatchObject({ error: 'verify-still-stapled', withdrawn: 0 })
      await restart(instance)
      expect((await instance.run()).line).toMatchObject({ result: 'unchanged', verified: 'handshake' })
      expect(await instance.stapled()).toBeNull()
    },
  )

  test(
    'takes a newer one for one that ends soon, and has dropped by itself what has ended',
    LONG,
    async (context) => {
      const [fed, starved] = [await startOne(context), await startOne(context)]
      await Promise.all([fed, starved].map((each) => each.staple({ from: -9, to: SOON })))
      const newer = fed.publish()
      expect((await fed.run()).line).toMatchObject({ result: 'applied', installed: 1, verified: 'handshake' })
      expect(await fed.stapled()).toEqual(newer)
      const unreachable = { environment: { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' } }
      await vi.waitFor(
        async () =>
          expect((await starved.run('all', unreachable)).line).toMatchObject({ withdrawn: 1, held: 0 }),
        { timeout: 600_000, interval: 5_000 },
      )
      expect((await starved.run('all', unreachable)).line.error).toBe('endpoint-unreachable')
      await vi.waitFor(async () => expect(await starved.stapled()).toBeNull(), 200_000)
    },
  )

  test(
    'that started with the staple of another certificate gives it until it starts again, and fails',
    LONG,
    async (context) => {
      const instance = await startOne(context)
      mkdirSync(dirname(instance.file), { recursive: true })
      const former = instance.respond()
      writeFileSync(instance.file, former)
      instance.renew()
      await restart(instance)
      expect(await instance.stapled()).toEqual(former)
      const der = instance.publish()
      const { line } = await instance.run()
      expect(line).toMatchObject({ error: 'verify-still-stapled', installed: 1, held: 1 })
      expect(line.detail).toContain("got another certificate's")
      await restart(instance)
      expect(await instance.stapled()).toEqual(der)
      expect((await instance.run()).line).toMatchObject({ result: 'unchanged', verified: 'handshake' })
    },
  )

  test(
    'whose configuration names no such file says so of the handshake, and the detail what to look at',
    LONG,
    async (context) => {
      const instance = await startOne(context)
      instance.set(`LIGHTTPD_STAPLES=${instance.get('LIGHTTPD_STAPLES').replace('site.ocsp', 'other.ocsp')}`)
      instance.publish()
      const { line } = await instance.run()
      expect(line).toMatchObject({ error: 'verify-no-staple', installed: 0, held: 0 })
      expect(line.detail).toContain('ssl.stapling-file')
    },
  )

  test('that does not run finds the file at its next start', LONG, async (context) => {
    const instance = await startOne(context)
    const der = instance.publish()
    await instance.machine.terminator.halt()
    expect((await instance.run()).line).toMatchObject({ error: 'server-not-running', installed: 1, held: 1 })
    await instance.machine.terminator.restart()
    expect(await instance.stapled()).toEqual(der)
  })
})
