import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { InstanceError } from '../../lambda/ring/result-line.ts'
import type { Ring } from '../../lambda/ring/ring.ts'
import { freePorts } from '../../local/rehearsal/machines/ports.ts'
import { SERVER_NAME } from './identity.ts'
import { advanced, BRIEF_WAIT, Instance, NO_WAIT, rendered, ringOf } from './instance.ts'
import { SocketRelay } from './socket-relay.ts'
import { Door } from './switching-address.ts'
import { type ListenerKind, proofListener } from './terminators.ts'

let instance: Instance
let relay: SocketRelay | undefined
let door: Door | undefined
afterEach(async () => {
  door?.stop()
  door = undefined
  relay?.stop()
  relay = undefined
  await instance.stop()
})

/** A machine that runs generation 1, while AWSCURRENT names generation 2. */
async function oneBehind(server: 'haproxy' | 'nginx'): Promise<Ring> {
  const ring = ringOf(1)
  instance = await Instance.start(server, ring)
  await instance.run()
  const next = advanced(ring)
  instance.publish(next)
  return next
}

async function throughRelay(): Promise<SocketRelay> {
  const { directory } = instance.terminator
  relay = await SocketRelay.start(join(directory, 'relay.sock'), join(directory, 'admin.sock'))
  instance.set(`HAPROXY_SOCKET=${relay.path}`)
  return relay
}

/** Leaves a Unix socket behind whose server was killed. */
async function abandonSocket(path: string): Promise<void> {
  const server = spawn('socat', [`UNIX-LISTEN:${path}`, '-'], { stdio: ['pipe', 'ignore', 'ignore'] })
  await expect.poll(() => existsSync(path)).toBe(true)
  server.kill('SIGKILL')
  await once(server, 'exit')
}

/** Runs, expects this error and, at the latest once a reload is through, a machine that runs what it ran before. */
async function refused(error: InstanceError): Promise<string> {
  const before = await instance.condition()
  const { code, line } = await instance.run()
  expect({ code, ...line }).toMatchObject({ code: 1, result: 'failed', error, verified: 'none' })
  await expect.poll(() => instance.condition()).toEqual(before)
  return line.detail ?? ''
}

describe.each(['haproxy', 'nginx'] as const)('%s listeners', (server) => {
  test.each<[string, ListenerKind]>([
    ['TLS 1.2 alone', 'tls12'],
    ['TLS 1.3 alone', 'tls13'],
  ])('one that speaks %s proves the key', async (_, kind) => {
    const next = await oneBehind(server)
    instance.verifyOn(kind, 'plain')
    const { line } = await instance.run()
    expect(line).toMatchObject({ result: 'applied', verified: 'handshake', encryptsWith: next.current.name })
  })

  test('one of a unix: socket proves the key, and a revoke too', async () => {
    const next = await oneBehind(server)
    instance.set(`${server.toUpperCase()}_VERIFY=${proofListener(instance.terminator)}`)
    const proved = { result: 'applied', verified: 'handshake' }
    expect((await instance.run()).line).toMatchObject({ ...proved, encryptsWith: next.current.name })
    const fresh = { ...ringOf(3), lineage: next.lineage }
    instance.publish(fresh)
    const { line, stderr } = await instance.run()
    expect(line).toMatchObject({ ...proved, encryptsWith: fresh.current.name })
    expect(stderr).toContain(`keeping a ticket under ${next.current.name}`)
    expect(readdirSync(instance.runDirectory).filter((name) => name.startsWith('ticket.'))).toEqual([])
  })

  test('one of a unix: socket that is not there is verify-unreachable', async () => {
    await oneBehind(server)
    const path = join(instance.terminator.directory, 'none.sock')
    const plain = `127.0.0.1:${instance.terminator.ports.plain}=${SERVER_NAME}`
    instance.set(`${server.toUpperCase()}_VERIFY=${plain} unix:${path}=${SERVER_NAME}`)
    expect(await refused('verify-unreachable')).toContain(path)
  })

  test.each(['unix:=a', 'unix:relative=a', 'unix:/run/../x=a', 'unix:/run/x', '/run/x=a', 'a@b:1=c'])(
    'one named as %s is config-invalid',
    async (listener) => {
      await oneBehind(server)
      instance.set(`${server.toUpperCase()}_VERIFY=${listener}`)
      await refused('config-invalid')
    },
  )

  test.each<[ListenerKind, InstanceError]>([
    ['proxy', 'verify-proxy-protocol'],
    ['tickets-off', 'tickets-off'],
    ['other', 'verify-wrong-key'],
  ])('one of kind %s is %s and is named', async (kind, error) => {
    await oneBehind(server)
    instance.verifyOn('plain', kind)
    instance.set(server === 'nginx' ? BRIEF_WAIT : NO_WAIT)
    expect(await refused(error)).toContain(`127.0.0.1:${instance.terminator.ports[kind]}=${SERVER_NAME}`)
  })

  test('one where nothing listens is verify-unreachable', async () => {
    await oneBehind(server)
    const [port] = await freePorts(1)
    const plain = `127.0.0.1:${instance.terminator.ports.plain}=${SERVER_NAME}`
    instance.set(`${server.toUpperCase()}_VERIFY=${plain} 127.0.0.1:${port}=${SERVER_NAME}`)
    expect(await refused('verify-unreachable')).toContain('connection refused')
  })

  test('a ticket lifetime above the configured one is lifetime-exceeded and both are named', async () => {
    await oneBehind(server)
    instance.set('TICKET_LIFETIME=60')
    expect(await refused('lifetime-exceeded')).toMatch(/60 s.*(7200|300) s/)
  })
})

test('an nginx that asks for client certificates gives a ticket all the same, which proves the key', async () => {
  const next = await oneBehind('nginx')
  instance.verifyOn('client-certificate')
  const { line } = await instance.run()
  expect(line).toMatchObject({ result: 'applied', verified: 'handshake', encryptsWith: next.current.name })
})

describe('haproxy', () => {
  test('a listener that wants a client certificate is proved by one that the owner names', async () => {
    const next = await oneBehind('haproxy')
    const { certificate, key } = instance.terminator.identity
    instance.set(`HAPROXY_CLIENT_CERT=${certificate}`)
    instance.set(`HAPROXY_CLIENT_KEY=${key}`)
    instance.verifyOn('client-certificate', 'plain')
    const { line } = await instance.run()
    expect(line).toMatchObject({ result: 'applied', verified: 'handshake', encryptsWith: next.current.name })
  })

  test('a client certificate without its key is config-invalid', async () => {
    await oneBehind('haproxy')
    instance.set(`HAPROXY_CLIENT_CERT=${instance.terminator.identity.certificate}`)
    expect(await refused('config-invalid')).toContain('HAPROXY_CLIENT_KEY')
  })

  test('a listener that wants a client certificate is verify-client-certificate', async () => {
    await oneBehind('haproxy')
    instance.verifyOn('client-certificate')
    await refused('verify-client-certificate')
  })

  test('an advance pushes one key, a repeat none, and a revoke three', async () => {
    const ring = await oneBehind('haproxy')
    const { commands } = await throughRelay()
    await instance.run()
    expect(relay?.pushes).toBe(1)
    await instance.run()
    expect(relay?.pushes).toBe(1)
    instance.publish({ ...ringOf(3), lineage: ring.lineage })
    await instance.run()
    expect(relay?.pushes).toBe(4)
    expect(commands).toContain('show cli level')
  })

  test('a socket below admin level is socket-not-admin', async () => {
    await oneBehind('haproxy')
    instance.set(`HAPROXY_SOCKET=${join(instance.terminator.directory, 'operator.sock')}`)
    expect(await refused('socket-not-admin')).toContain('operator')
  })

  test.each([
    ['a plain file in place of its socket', (path: string) => writeFileSync(path, '')],
    ['a socket that no process serves', abandonSocket],
  ])('a server that answers, with %s, is socket-refused', async (_, leave) => {
    await oneBehind('haproxy')
    const { path } = await throughRelay()
    relay?.stop()
    await leave(path)
    await refused('socket-refused')
  })

  test.each<[string, InstanceError, (line: string) => string | undefined]>([
    ['closes without an answer', 'socket-refused', () => ''],
    ['answers something unknown', 'socket-unexpected', () => 'Unknown command.\n'],
    ['shows two keys', 'socket-unexpected', () => 'admin\n\n# id secret\n# 0 (x)\n0.0 AAAA\n0.1 AAAA\n\n'],
    ['denies a push', 'socket-not-admin', denyPushes('Permission denied\n')],
    [
      'does not take a push',
      'socket-unexpected',
      denyPushes("'set ssl tls-key' received a key of wrong size.\n"),
    ],
    ['answers a push with something unknown', 'socket-unexpected', denyPushes('Maybe.\n')],
  ])('a socket that %s is %s', async (_, error, answer) => {
    await oneBehind('haproxy')
    await throughRelay()
    if (relay) relay.answer = answer
    await refused(error)
  })

  test('a key file that no bind line names is socket-unexpected', async () => {
    await oneBehind('haproxy')
    instance.set(`HAPROXY_KEYS=${instance.terminator.directory}/keys/unused.keys`)
    expect(await refused('socket-unexpected')).toContain('unused.keys')
  })

  test('a ring that was loaded and cannot be proved is pushed back', async () => {
    const ring = ringOf(1)
    instance = await Instance.start('haproxy', ring)
    await instance.run()
    instance.publish(ringOf(2))
    instance.verifyOn('plain', 'other')
    await throughRelay()
    await refused('verify-wrong-key')
    expect(await instance.holds()).toEqual(rendered(ring, 'haproxy-80'))
    expect(relay?.pushes).toBe(6)
  })
})

describe('nginx', () => {
  test('a configuration that nginx -t refuses is config-test-failed, in its own words, and nothing is reloaded', async () => {
    await oneBehind('nginx')
    const broken = join(instance.terminator.directory, 'broken.conf')
    writeFileSync(broken, 'events {} http { server { listen 1 } }')
    instance.set(`NGINX_TEST=nginx -t -c ${broken}`)
    expect(await refused('config-test-failed')).toContain('broken.conf:1')
  })

  test('a reload that fails is reload-failed', async () => {
    await oneBehind('nginx')
    instance.set('NGINX_RELOAD=nginx -s reload -c /nonexistent/nginx.conf')
    expect(await refused('reload-failed')).toContain('/nonexistent/nginx.conf')
  })

  test('a reload that does nothing is reload-not-taken', async () => {
    const next = await oneBehind('nginx')
    instance.set(NO_WAIT)
    instance.set('NGINX_RELOAD=true')
    expect(await refused('reload-not-taken')).toContain(next.current.name)
  })
})

describe('a server that does not run', () => {
  test.each(['haproxy', 'nginx'] as const)(
    '%s: server-not-running, and the next start takes the ring',
    async (server) => {
      const next = await oneBehind(server)
      await instance.terminator.halt()
      const { code, line } = await instance.run()
      expect({ code, ...line }).toMatchObject({ code: 1, error: 'server-not-running' })
      await instance.terminator.restart()
      expect(await instance.encryptsWith()).toBe(next.current.name)
      expect((await instance.run()).line).toMatchObject({ generation: 2, verified: 'handshake' })
    },
  )
})

describe('a revocation', () => {
  test.each(['haproxy', 'nginx'] as const)(
    '%s: an old ticket that is still accepted fails, and the next run tries again',
    async (server) => {
      instance = await Instance.start(server, ringOf(1))
      await instance.run()
      const ring = ringOf(2)
      instance.publish(ring)
      await instance.run()
      // The old key lives on behind the listener, as it does in a process that was left behind: the second connection meets it.
      const { plain, other } = instance.terminator.ports
      door = await Door.open(plain, other)
      const listener = `127.0.0.1:${door.port}=${SERVER_NAME}`
      instance.set(`${server.toUpperCase()}_VERIFY=${listener}`)
      // After a reload an old worker may hand out the ticket, under a key that it takes with it: then once more.
      const planted = async () => {
        await instance.plantOldTicket(other, listener)
        door?.reset()
        const { code, line } = await instance.run()
        return { code, ...line }
      }
      const failure = { code: 1, error: 'old-ticket-accepted', generation: 2 }
      await expect.poll(planted).toMatchObject(failure)
      expect(await instance.encryptsWith()).toBe(ring.current.name)
      expect(instance.leftTickets()).toHaveLength(1)
    },
  )

  test('a ticket of a listener that the settings do not name any more is dropped', async () => {
    instance = await Instance.start('haproxy', ringOf(1))
    await instance.run()
    const [gone] = await freePorts(1)
    await instance.plantOldTicket(instance.terminator.ports.other, `127.0.0.1:${gone}=${SERVER_NAME}`)
    expect(instance.leftTickets()).toHaveLength(1)
    expect((await instance.run()).line).toMatchObject({ result: 'unchanged', verified: 'handshake' })
    expect(instance.leftTickets()).toEqual([])
  })
})

function denyPushes(answer: string): (line: string) => string | undefined {
  return (line) => (line.startsWith('set') ? `${answer}\n` : undefined)
}
