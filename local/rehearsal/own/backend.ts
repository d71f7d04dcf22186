import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Scope } from '../../scope.ts'
import { freePorts } from '../machines/ports.ts'

/** Starts the server that answers in place of every backend of a user's configuration. @returns its port. */
export async function startBackend(scope: Scope): Promise<number> {
  const [port] = (await freePorts(1)) as [number]
  const server = createServer((_, response) => response.end('ticketring\n'))
  scope.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server.listen({ port, host: '127.0.0.1' }), 'listening')
  return port
}
