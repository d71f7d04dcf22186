import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createConnection, createServer } from 'node:net'

/** Below the range that outgoing connections draw from. */
const [LOWEST, HIGHEST] = [20_000, 32_000]

/**
 * Free loopback ports, which no other rehearsal or test on this machine is given while this process runs: HAProxy's
 * SO_REUSEPORT would share a port without a word.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = randomInt(LOWEST, HIGHEST)
    if (await lease(port)) ports.push(port)
  }
  return ports
}

/**
 * Takes a port for this process, if it is free and no other has it. The lease is the UDP port of the same number, which
 * the kernel gives to one process at a time, also while the server on the TCP port is down.
 */
export async function lease(port: number): Promise<boolean> {
  const held = createSocket('udp4')
  held.bind({ port, address: '127.0.0.1', exclusive: true })
  const isOurs = await once(held, 'listening').then(
    () => isFree(port),
    () => false,
  )
  if (isOurs) held.unref()
  else held.close()
  return isOurs
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Whether a process listens there. */
export function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
