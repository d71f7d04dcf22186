/** A staple that is not of its certificate, or not the one delivered: found wherever it is, and never left. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { createServer, type Server } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { makeCertificate, SERVER_NAME } from './identity.ts'
import { ask, BRIEF_WAIT } from './instance.ts'
import { StapleInstance } from './staple-instance.ts'
import { killing } from './tool-shims.ts'

let instance: StapleInstance
let other: Server | undefined
afterEach(async () => {
  other?.close()
  other = undefined
  await instance.stop()
})

const snippet = () => `${instance.file}.conf`

/** Has the runs look at a listener that presents another certificate, and is no server of this machine's. */
async function verifyElsewhere(): Promise<void> {
  const { server, directory } = instance.machine.terminator
  const { certificate, key } = makeCertificate(join(directory, 'elsewhere'))
  const listener = createServer({ cert: readFileSync(certificate), key: readFileSync(key) })
  listener.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  other = listener
  const { port } = listener.address() as AddressInfo
  instance.set(`${server.toUpperCase()}_VERIFY=127.0.0.1:${port}=${SERVER_NAME}`)
}

describe.each(['nginx', 'h2o'] as const)('%s', (kind) => {
  test.each(['certificate', 'key'] as const)(
    'is never rid of a %s that a slip names as a staple',
    async (which) => {
      instance = await StapleInstance.start(kind)
      const setting = `${kind.toUpperCase()}_STAPLES`
      const { identity } = instance.machine.terminator
      const rightly = instance.get(setting)
      const file = identity[which]
      const before = readFileSync(file)
      instance.publish()
      instance.set(`${setting}=${rightly} ${identity.certificate}=${file}`)
      const { line } = await instance.run()
      expect(line).toMatchObject({ error: 'config-invalid', installed: 1, withdrawn: 0 })
      expect(line.detail).toContain(`a key or lines of others in ${file}`)
      expect(readFileSync(file)).toEqual(before)
      // The slip is mended: what it named is no staple of before.
      instance.set(`${setting}=${rightly}`)
      await instance.run('all', { arguments: ['--boot', 'outer'] })
      expect(readFileSync(file)).toEqual(before)
    },
  )
})

describe('nginx, which staples whatever a file holds', () => {
  test('is never rid of a configuration that a slip has beside a staple', async () => {
    instance = await StapleInstance.start('nginx')
    const rightly = instance.get('NGINX_STAPLES')
    const { identity, directory } = instance.machine.terminator
    const file = join(directory, 'site.conf')
    const before = 'server_tokens off;\n'
    writeFileSync(file, before)
    instance.publish()
    instance.set(`NGINX_STAPLES=${rightly} ${identity.certificate}=${join(directory, 'site')}`)
    const { line } = await instance.run()
    expect(line).toMatchObject({ error: 'config-invalid', installed: 1, withdrawn: 0 })
    expect(line.detail).toContain(file)
    instance.set(`NGINX_STAPLES=${rightly}`)
    expect((await instance.run()).line).toMatchObject({ result: 'unchanged', withdrawn: 0 })
    expect(readFileSync(file, 'utf8')).toBe(before)
  })

  test('is rid of the staple of a certificate that was renewed', async () => {
    instance = await StapleInstance.start('nginx')
    await instance.staple()
    instance.renew()
    const { code, line } = await instance.run()
    expect({ code, ...line }).toMatchObject({ code: 0, result: 'applied', withdrawn: 1, held: 0 })
    expect([existsSync(instance.file), existsSync(snippet())]).toEqual([false, false])
    await expect.poll(() => instance.stapled()).toBeNull()
  })

  test('is rid of it though the store cannot be reached', async () => {
    instance = await StapleInstance.start('nginx')
    await instance.staple()
    instance.renew()
    const { line } = await instance.run('all', { environment: { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' } })
    expect(line).toMatchObject({ error: 'endpoint-unreachable', withdrawn: 1, held: 0 })
    await expect.poll(() => instance.stapled()).toBeNull()
  })

  test.each([
    ['a staple that is no response', () => writeFileSync(instance.file, 'half')],
    ['a snippet whose staple is gone', () => rmSync(instance.file)],
  ])('starts after a boot that finds %s', async (_, damage) => {
    instance = await StapleInstance.start('nginx')
    mkdirSync(dirname(instance.file))
    writeFileSync(snippet(), `ssl_stapling on;\nssl_stapling_file ${instance.file};\n`)
    writeFileSync(instance.file, '')
    damage()
    const { terminator } = instance.machine
    await terminator.halt()
    const { line } = await instance.run('all', { arguments: ['--boot', 'outer'] })
    expect(line).toMatchObject({ result: 'applied', held: 0 })
    await terminator.restart()
    expect(await instance.stapled()).toBeNull()
  })

  /** Has the settings name a second certificate, of which the server's own file does not speak; gives its path. */
  function nameSecond(): string {
    const { directory, identity } = instance.machine.terminator
    const files = [identity.certificate, identity.key]
    for (const file of files) copyFileSync(file, `${file}.first`)
    instance.renew()
    const second = join(directory, 'second.pem')
    copyFileSync(identity.certificate, second)
    for (const file of files) renameSync(`${file}.first`, file)
    instance.set(`NGINX_STAPLES=${second}=${instance.file}`)
    return second
  }

  test('that gives it with another certificate of the same server is verify-wrong-staple, and is rid of it', async () => {
    instance = await StapleInstance.start('nginx')
    const second = nameSecond()
    const der = instance.publish()
    mkdirSync(dirname(instance.file))
    writeFileSync(instance.file, der)
    writeFileSync(snippet(), `ssl_stapling on;\nssl_stapling_file ${instance.file};\n`)
    process.kill(instance.machine.terminator.pid(), 'SIGHUP')
    await expect.poll(() => instance.stapled()).toEqual(der)
    instance.set(BRIEF_WAIT)
    const { line } = await instance.run()
    expect(line).toMatchObject({ error: 'verify-wrong-staple', installed: 0, withdrawn: 1, held: 0 })
    expect(line.detail).toContain(second)
    expect([existsSync(instance.file), existsSync(snippet())]).toEqual([false, false])
    await expect.poll(() => instance.stapled()).toBeNull()
  })

  test('is looked at once its old workers take no more connections, however late the reload', async () => {
    instance = await StapleInstance.start('nginx')
    nameSecond()
    instance.publish()
    const script = join(instance.machine.terminator.directory, 'late')
    const reload = instance.get('NGINX_RELOAD')
    writeFileSync(script, `#!/bin/sh\n(sleep 2; exec ${reload}) >/dev/null 2>&1 &\n`, { mode: 0o755 })
    instance.set(`NGINX_RELOAD=${script}`)
    expect((await instance.run()).line).toMatchObject({ error: 'verify-wrong-staple', installed: 0, held: 0 })
    expect(existsSync(snippet())).toBe(false)
    await expect.poll(() => instance.stapled()).toBeNull()
  })

  test.each([
    ['', {}, { result: 'applied' }],
    [
      ' though the store cannot be reached',
      { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' },
      { result: 'failed', error: 'endpoint-unreachable' },
    ],
  ])(
    'is rid of the staple of a pair that the settings do not name any more%s',
    async (_, environment, outcome) => {
      instance = await StapleInstance.start('nginx')
      const der = await instance.staple()
      const pair = instance.get('NGINX_STAPLES')
      const { directory } = instance.machine.terminator
      const { certificate } = makeCertificate(join(directory, 'elsewhere'))
      instance.set(`NGINX_STAPLES=${certificate}=${join(directory, 'others', 'other.ocsp')}`)
      const { line, stderr } = await instance.run('all', { environment })
      expect(line).toMatchObject({ ...outcome, withdrawn: 1, held: 0 })
      expect(stderr).toContain(`withdrawing ${instance.file}: the settings do not name it any more`)
      expect([existsSync(instance.file), existsSync(snippet())]).toEqual([false, false])
      await expect.poll(() => instance.stapled()).toBeNull()
      instance.set(`NGINX_STAPLES=${pair}`)
      expect((await instance.run()).line).toMatchObject({ result: 'applied', installed: 1, withdrawn: 0 })
      expect(await instance.stapled()).toEqual(der)
    },
  )

  test('is told until it takes a reload of a staple of a pair that the settings do not name any more', async () => {
    instance = await StapleInstance.start('nginx')
    await instance.staple()
    const { directory } = instance.machine.terminator
    const { certificate } = makeCertificate(join(directory, 'elsewhere'))
    instance.set(`NGINX_STAPLES=${certificate}=${join(directory, 'others', 'other.ocsp')}`)
    const reload = instance.get('NGINX_RELOAD')
    const unreachable = { environment: { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' } }
    instance.set('NGINX_RELOAD=false')
    const { line } = await instance.run('all', unreachable)
    expect(line).toMatchObject({ error: 'endpoint-unreachable', withdrawn: 1 })
    expect(line.detail).toContain('bringing back what ran before failed')
    expect(await instance.stapled()).not.toBeNull()
    instance.set(`NGINX_RELOAD=${reload}`)
    expect((await instance.run('all', unreachable)).line).toMatchObject({
      error: 'endpoint-unreachable',
      withdrawn: 0,
    })
    await expect.poll(() => instance.stapled()).toBeNull()
    expect((await instance.run()).line).toMatchObject({ result: 'applied', withdrawn: 0 })
    expect((await instance.run()).line.result).toBe('unchanged')
  })

  test('is given the delivered response where it staples another of the same times', async () => {
    instance = await StapleInstance.start('nginx')
    const der = await instance.staple()
    const twin = instance.respond({}, {}, { producedAt: new Date(0) })
    const load = (bytes: Buffer) => {
      rmSync(instance.file)
      writeFileSync(instance.file, bytes)
    }
    load(twin)
    process.kill(instance.machine.terminator.pid(), 'SIGHUP')
    await expect.poll(() => instance.stapled()).toEqual(twin)
    load(der)
    expect((await instance.run()).line).toMatchObject({ result: 'applied', installed: 0, held: 1 })
    expect(await instance.stapled()).toEqual(der)
  })

  test('has the staple of a certificate in each file that the settings name for it', async () => {
    instance = await StapleInstance.start('nginx')
    const { certificate } = instance.machine.terminator.identity
    const second = join(dirname(instance.file), 'second.ocsp')
    instance.set(`NGINX_STAPLES=${certificate}=${second} ${certificate}=${instance.file}`)
    const der = instance.publish()
    expect((await instance.run()).line).toMatchObject({ result: 'applied', verified: 'handshake' })
    expect(readFileSync(second)).toEqual(der)
    expect(await instance.stapled()).toEqual(der)
  })

  test('is reloaded for a first staple whose run was killed, though no listener of the settings presents it', async () => {
    instance = await StapleInstance.start('nginx')
    await verifyElsewhere()
    const der = instance.publish()
    const log = join(instance.machine.terminator.directory, 'calls')
    await instance.run('all', { prefix: killing('renameat', 2, 'after', log) })
    expect(readFileSync(log, 'utf8')).toContain('killed by SIGUSR1')
    expect([existsSync(snippet()), await instance.stapled()]).toEqual([true, null])
    const works = instance.get('NGINX_TEST')
    instance.set('NGINX_TEST=false')
    expect((await instance.run()).line).toMatchObject({ error: 'config-test-failed' })
    instance.set(`NGINX_TEST=${works}`)
    expect((await instance.run()).line).toMatchObject({ result: 'applied', verified: 'none', held: 1 })
    await expect.poll(() => instance.stapled()).toEqual(der)
    expect((await instance.run()).line.result).toBe('unchanged')
  })

  test('whose certificate is in OpenSSL’s trusted form staples for it', async () => {
    instance = await StapleInstance.start('nginx')
    const { certificate } = instance.machine.terminator.identity
    const [leaf, ...chain] = readFileSync(certificate, 'utf8').split(/(?<=-----END [A-Z ]+-----\n)/)
    const words = ['x509', '-trustout', '-addtrust', 'serverAuth']
    const trusted = execFileSync('openssl', words, { input: leaf, encoding: 'utf8' })
    expect(trusted).toContain('TRUSTED CERTIFICATE')
    writeFileSync(certificate, trusted + chain.join(''))
    const der = instance.publish()
    expect((await instance.run()).line).toMatchObject({ result: 'applied', verified: 'handshake' })
    expect(await instance.stapled()).toEqual(der)
  })
})

test('a HAProxy is asked what it holds, though no listener of the settings presents the certificate', async () => {
  instance = await StapleInstance.start('haproxy')
  const der = await instance.staple()
  await verifyElsewhere()
  const twin = instance.respond({}, {}, { producedAt: new Date(0) })
  const socket = join(instance.machine.terminator.directory, 'admin.sock')
  await ask(socket, `set ssl ocsp-response <<\n${twin.toString('base64')}\n`)
  expect(await instance.stapled()).toEqual(twin)
  expect((await instance.run()).line).toMatchObject({ result: 'applied', verified: 'none', held: 1 })
  await expect.poll(() => instance.stapled()).toEqual(der)
})
