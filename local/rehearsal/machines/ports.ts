import { randomInt } from 'node:crypto'
import { createConnection, createServer } from 'node:net'

/** Below the range that outgoing connections draw from. */
const [LOWEST, HIGHEST] = [20_000, 32_000]
/** Each process draws from a share of its own: a port whose server has ended is taken by nobody who runs beside it. */
const SHARE = 100
const own = LOWEST + (process.pid % ((HIGHEST - LOWEST) / SHARE)) * SHARE

const taken = new Set<number>()

/**
 * Free loopback ports, each given out once. HAProxy's SO_REUSEPORT would share a port that somebody else took in between
 * without a word.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = []
  for (let tries = 0; ports.length < count; tries++) {
    const port = tries < SHARE ? randomInt(own, own + SHARE) : randomInt(LOWEST, HIGHEST)
    if (taken.has(port) || !(await isFree(port))) continue
    taken.add(port)
    ports.push(port)
  }
  return ports
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Whether somebody listens there. */
export function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
