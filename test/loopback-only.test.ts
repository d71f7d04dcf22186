import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { lookup, Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { get } from 'node:http'
import { connect, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { insistOnLoopback } from './loopback-only.mjs'

// Kept for documentation (RFC 5737, RFC 3849): nothing answers there even where the guard is broken.
const [OUTSIDE, OUTSIDE6] = ['192.0.2.1', '2001:db8::1']

/** Each asks for something outside, and is refused. */
const ATTEMPTS: Record<string, () => Promise<unknown>> = {
  'a connection': () => once(connect(9, OUTSIDE), 'connect'),
  'a connection by IPv6': () => once(connect(9, OUTSIDE6), 'connect'),
  'a connection to a mapped address': () => once(connect(9, `::ffff:${OUTSIDE}`), 'connect'),
  'a name that the caller resolved': () =>
    once(
      get({
        host: 'responder.test',
        lookup: (_, __, done) => setImmediate(done, null, [{ address: OUTSIDE, family: 4 }]),
      }),
      'response',
    ),
  fetch: () => fetch(`http://${OUTSIDE}/`),
  'a datagram': () => datagram((socket, done) => socket.send('x', 9, OUTSIDE, done)),
  'a connected datagram socket': () =>
    datagram((socket, done) => socket.connect(9, OUTSIDE, done as () => void)),
  'a look-up': () => lookup('responder.test'),
  'a resolver': () => new Resolver().resolve4('responder.test'),
}

async function datagram(
  use: (socket: ReturnType<typeof createSocket>, done: (error?: Error | null) => void) => void,
): Promise<void> {
  const socket = createSocket('udp4')
  try {
    await new Promise<void>((resolve, reject) => use(socket, (error) => (error ? reject(error) : resolve())))
  } finally {
    socket.close()
  }
}

test.each(Object.keys(ATTEMPTS))('%s beyond loopback is refused, and fails its test', async (attempt) => {
  await expect(async () => ATTEMPTS[attempt]?.()).rejects.toThrow()
  expect(insistOnLoopback).toThrow(
    /a test connects to loopback only, but this was asked for: Error: \w+ \S+\n {4}at /,
  )
  expect(insistOnLoopback).not.toThrow()
})

test('what a Node process below tries to reach beyond loopback is refused, and fails the test', () => {
  const connecting = `require('net').connect(9, '${OUTSIDE}').on('error', ({ code }) => console.log(code))`
  expect(execFileSync(process.execPath, ['-e', connecting], { encoding: 'utf8' })).toBe('EACCES\n')
  expect(insistOnLoopback).toThrow(/: process \d+: Error: connect 192\.0\.2\.1\n/)
  expect(insistOnLoopback).not.toThrow()
})

test('loopback is free, by address and by name', async () => {
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  for (const host of ['127.0.0.1', 'localhost', '::ffff:127.0.0.1'])
    await once(connect(port, host), 'connect')
  server.close()
  expect(insistOnLoopback).not.toThrow()
})
