/** Settings are parsed and never evaluated: what is none is refused by its key, before anything is touched. */

import { writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SERVER_NAME } from './identity.ts'
import type { Instance } from './instance.ts'
import { refused, startOneBehind } from './machine.ts'

let machine: Instance
const doors: Server[] = []
beforeEach(async () => {
  ;[machine] = await startOneBehind('haproxy')
})
afterEach(async () => {
  for (const door of doors.splice(0)) door.close()
  await machine.stop()
})

/** The same listener at the IPv6 loopback; its port. */
async function overIpv6(): Promise<number> {
  const door = createServer((client) => {
    const behind = connect(machine.terminator.ports.plain, '127.0.0.1')
    client.pipe(behind).pipe(client)
    client.on('error', () => behind.destroy())
    behind.on('error', () => client.destroy())
  })
  doors.push(door)
  await new Promise<void>((resolve) => door.listen(0, '::1', resolve))
  return (door.address() as { port: number }).port
}

describe("the machine's file", () => {
  test.each([
    ['a NUL', Buffer.from('LOCK_WAIT=1\0\n'), 'LOCK_WAIT'],
    ['CRLF', Buffer.from('LOCK_WAIT=10\r\n'), 'LOCK_WAIT'],
    ['a byte-order mark', Buffer.from('\ufeffLOCK_WAIT=10\n'), 'edge.conf'],
    ['a byte-order mark of UTF-16', Buffer.from('\ufeffLOCK_WAIT=10\n', 'utf16le'), 'edge.conf'],
    ['a tab', Buffer.from('LOCK_WAIT\t=10\n'), 'LOCK_WAIT'],
    ['a space around the sign', Buffer.from('LOCK_WAIT = 10\n'), 'LOCK_WAIT'],
    ['quotes', Buffer.from('LOCK_WAIT="10"\n'), 'LOCK_WAIT'],
    ['letters of another script', Buffer.from('HAPROXY_OWNER=h\u0430proxy\n'), 'edge.conf'],
    ['more than is read', Buffer.from('# x\n'.repeat(20_000)), '65536'],
    ['a key of another capability', Buffer.from('STORE=/x\n'), 'STORE'],
    ['a key in small letters', Buffer.from('lock_wait=10\n'), 'lock_wait'],
    ['a path with .. in it', Buffer.from('HAPROXY_KEYS=/run/../etc/passwd\n'), 'HAPROXY_KEYS'],
    ['a path that ends in ..', Buffer.from('RUN_DIR=/run/ticketring/..\n'), 'RUN_DIR'],
    ['the root as a directory', Buffer.from('RUN_DIR=/\n'), 'RUN_DIR'],
    ['a port that is none', Buffer.from('HAPROXY_VERIFY=127.0.0.1:65536=edge.test\n'), 'address:port'],
    ['brackets around no address', Buffer.from('HAPROXY_VERIFY=[edge]:443=edge.test\n'), 'address:port'],
    ['a wait of no end', Buffer.from('LOCK_WAIT=0\n'), 'LOCK_WAIT'],
    [
      'an endpoint that is no address',
      Buffer.from('ENDPOINT_SECRETSMANAGER=secretsmanager\n'),
      'ENDPOINT_SECRETSMANAGER',
    ],
    [
      'an endpoint of another protocol',
      Buffer.from('ENDPOINT_SECRETSMANAGER=file:///etc/passwd\n'),
      'ENDPOINT_SECRETSMANAGER',
    ],
    [
      'an endpoint whose port is none',
      Buffer.from('ENDPOINT_SECRETSMANAGER=http://127.0.0.1:65536\n'),
      'http',
    ],
    ['a Region that none is', Buffer.from('REGION=mars\n'), 'REGION'],
  ])('with %s is config-invalid', async (_, text, named) => {
    writeFileSync(join(machine.terminator.directory, 'conf', 'edge.conf'), text)
    expect(await refused(machine, 'config-invalid')).toContain(named)
  })

  test('is read over what the document says, key by key, with comments and empty lines', async () => {
    machine.set('HAPROXY_SOCKET=/nonexistent')
    machine.writeConf(`# here\n\nHAPROXY_SOCKET=${machine.terminator.directory}/admin.sock`)
    expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
  })
})

test.each(['[::1]', '::1'])('a listener at %s is proved by a handshake there', async (address) => {
  const port = await overIpv6()
  machine.set(`HAPROXY_VERIFY=${address}:${port}=${SERVER_NAME}`)
  const { line } = await machine.run()
  expect(line).toMatchObject({ result: 'applied', verified: 'handshake' })
  expect(line.encryptsWith).toBe(await machine.encryptsWith())
  for (const door of doors.splice(0)) door.close()
  await machine
    .run()
    .then((run) => expect(run.line).toMatchObject({ result: 'failed', error: 'verify-unreachable' }))
})
