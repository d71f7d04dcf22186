/** Each failure says its cause by a code of its own, and what failed for a cause is not repeated until that has changed. */
import { execFileSync } from 'node:child_process'
import { chownSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { refusal } from './endpoint.ts'
import { SERVER_NAME } from './identity.ts'
import { advanced, BRIEF_WAIT, type Instance, NO_WAIT, ringOf } from './instance.ts'
import { failed, refused, startMachine, startOneBehind } from './machine.ts'
import { restartAsUser, USER } from './other-user.ts'
import type { ServerProcess } from './terminators.ts'

let machine: Instance
let server: ServerProcess | undefined
let proxy: Server | undefined
afterEach(async () => {
  proxy?.close()
  proxy = undefined
  await server?.end()
  server = undefined
  await machine.stop()
})

const isRoot = process.getuid?.() === 0

describe('AWS', () => {
  // In a network of its own, in which there is nothing, no name resolves and nothing is asked.
  test.runIf(isRoot)('whose name does not resolve is endpoint-unresolved', async () => {
    ;[machine] = await startOneBehind('haproxy')
    machine.set('ENDPOINT_SECRETSMANAGER=http://secretsmanager.invalid')
    const detail = await refused(machine, 'endpoint-unresolved', { prefix: ['unshare', '-n'] })
    expect(detail).toContain('http://secretsmanager.invalid')
  })

  test('whose certificate is not to be trusted is endpoint-tls, in the words of OpenSSL', async () => {
    ;[machine] = await startOneBehind('haproxy')
    machine.set(`ENDPOINT_SECRETSMANAGER=https://127.0.0.1:${machine.terminator.ports.plain}`)
    expect(await refused(machine, 'endpoint-tls')).toMatch(/certificate/)
  })

  test('that speaks no TLS is endpoint-tls', async () => {
    ;[machine] = await startOneBehind('haproxy')
    machine.set(`ENDPOINT_SECRETSMANAGER=${machine.endpoint.url.replace('http:', 'https:')}`)
    await refused(machine, 'endpoint-tls')
  })

  test('behind a proxy that wants credentials is endpoint-proxy, with its status', async () => {
    ;[machine] = await startOneBehind('haproxy')
    const open = createServer((client) => {
      client.on('error', () => {})
      client.once('data', () =>
        client.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n'),
      )
    })
    proxy = open
    await new Promise<void>((resolve) => open.listen(0, '127.0.0.1', resolve))
    machine.set('ENDPOINT_SECRETSMANAGER=https://secretsmanager.invalid')
    const environment = { https_proxy: `http://127.0.0.1:${(open.address() as { port: number }).port}` }
    expect(await refused(machine, 'endpoint-proxy', { environment })).toContain('407')
  })

  test('that throttles each try is throttled', async () => {
    ;[machine] = await startOneBehind('haproxy')
    const already = machine.endpoint.fetches
    machine.endpoint.secret = refusal('ThrottlingException', 'Rate exceeded')
    expect(await refused(machine, 'throttled')).toContain('ThrottlingException')
    expect(machine.endpoint.fetches - already).toBe(3)
  })
})

describe('a listener', () => {
  test('whose name does not resolve is verify-unreachable, and the name is what is wrong', async () => {
    ;[machine] = await startOneBehind('haproxy')
    // A label of more than 63 letters: no name server is asked. Source: RFC 1035, section 2.3.4.
    machine.set(`HAPROXY_VERIFY=${'x'.repeat(64)}.invalid:443=${SERVER_NAME}`)
    expect(await refused(machine, 'verify-unreachable')).toContain('a name that does not resolve')
  })

  test('that ends the handshake with an alert is verify-unreachable, and the alert is named', async () => {
    ;[machine] = await startOneBehind('haproxy')
    const { directory, ports } = machine.terminator
    const file = join(directory, 'haproxy.cfg')
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace(new RegExp(`^(.*:${ports.plain} ssl.*)$`, 'm'), '$1 strict-sni'),
    )
    await machine.terminator.halt()
    await machine.terminator.restart()
    machine.set(`HAPROXY_VERIFY=127.0.0.1:${ports.plain}=unknown.test`)
    const { line } = await failed(machine, 'verify-unreachable')
    expect(line.detail).toContain('the alert unrecognized_name')
  })

  test('that is closed, of a HAProxy whose socket answers, is verify-unreachable: HAProxy runs', async () => {
    ;[machine] = await startOneBehind('haproxy')
    machine.set(`HAPROXY_VERIFY=127.0.0.1:1=${SERVER_NAME}`)
    expect(await refused(machine, 'verify-unreachable')).toContain('connection refused')
  })
})

/** An nginx whose reloads are counted; gives the count. */
function countReloads(): () => number {
  const { directory } = machine.terminator
  const [script, log] = [join(directory, 'reload'), join(directory, 'reloads')]
  writeFileSync(script, `#!/bin/sh\necho x >>${log}\nexec nginx -s reload -c ${directory}/nginx.conf\n`, {
    mode: 0o755,
  })
  machine.set(`NGINX_RELOAD=${script}`)
  return () => (existsSync(log) ? readFileSync(log, 'utf8').length / 2 : 0)
}

function configure(change: (text: string) => string): void {
  const file = join(machine.terminator.directory, 'nginx.conf')
  writeFileSync(file, change(readFileSync(file, 'utf8')))
}

describe('nginx', () => {
  test.runIf(isRoot)(
    'whose master cannot read what its test can is reload-not-taken, and no wrong key',
    async () => {
      ;[machine] = await startOneBehind('nginx')
      server = await restartAsUser(machine.terminator)
      machine.set(`NGINX_OWNER=${USER}`)
      machine.set(NO_WAIT)
      const before = machine.files()
      chownSync(machine.terminator.identity.key, 0, -1)
      const { line } = await failed(machine, 'reload-not-taken')
      expect(line.detail).toContain(`process ${server.pid}`)
      expect(line.detail).toContain('error log')
      expect(machine.files()).toBe(before)
    },
  )

  test('that its own test refuses is config-test-failed: it is not reloaded, and it is tried again at once', async () => {
    ;[machine] = await startOneBehind('nginx')
    // Otherwise an edit by others is left to them, sound or not: config-changed-by-others.
    machine.set('NGINX_RELOAD_POLICY=always')
    const reloads = countReloads()
    configure((text) => `colour blue;\n${text}`)
    expect(await refused(machine, 'config-test-failed')).toContain('colour')
    expect(reloads()).toBe(0)
    configure((text) => text.replace('colour blue;\n', ''))
    expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
    expect(reloads()).toBe(1)
  })

  test('that does not encrypt with the key after a reload is not reloaded again within the hour, but once that has changed', async () => {
    const ring = ringOf(1)
    machine = await startMachine('nginx', ring)
    const reloads = countReloads()
    const keys = /^ {2}ssl_session_ticket_key .*keys\/nginx.*\n/gm
    const right = readFileSync(join(machine.terminator.directory, 'nginx.conf'), 'utf8')
    configure((text) =>
      text
        .replace(keys, '')
        .replace('http {\n', `http {\n  ssl_session_ticket_key ${machine.terminator.directory}/other.key;\n`),
    )
    execFileSync('nginx', ['-s', 'reload', '-c', join(machine.terminator.directory, 'nginx.conf')])
    // Old workers answer for a moment yet: what they show would not be what the next run sees.
    await expect.poll(() => machine.encryptsWith()).not.toBe(ring.current.name)
    machine.publish(advanced(ring))
    machine.set(BRIEF_WAIT)
    await failed(machine, 'verify-wrong-key')
    const already = reloads()
    expect(already).toBeGreaterThan(0)

    const again = await failed(machine, 'verify-wrong-key')
    expect(again.line.detail).toContain('not loaded again within the hour')
    expect(reloads()).toBe(already)

    // The detail says how to have it tried at once.
    rmSync(join(machine.runDirectory, 'refused'))
    await failed(machine, 'verify-wrong-key')
    expect(reloads()).toBeGreaterThan(already)

    machine.set('VERIFY_WAIT=30')
    configure(() => right)
    execFileSync('nginx', ['-s', 'reload', '-c', join(machine.terminator.directory, 'nginx.conf')])
    await expect.poll(() => machine.encryptsWith()).toBe(ring.current.name)
    expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
  })
})
