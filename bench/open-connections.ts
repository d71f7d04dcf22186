import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { APPLICATION_PROTOCOLS } from '../local/rehearsal/clients/application-protocol.ts'
import { TERMINATORS } from '../local/rehearsal/machines/kinds.ts'
import type { Machine } from '../local/rehearsal/machines/machine.ts'

const askForPage = (serverName: string) => `GET / HTTP/1.1\r\nHost: ${serverName}\r\n\r\n`
const QUESTIONS = {
  http: askForPage,
  web: askForPage,
  dns: APPLICATION_PROTOCOLS.dns.question,
}

/** How many of `count` connections that have been answered once, and wait, the server closes while the work is done. */
export async function closedDuring(
  machine: Machine,
  count: number,
  work: () => Promise<unknown>,
): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: count }, () => open(machine)))
  let closed = 0
  for (const socket of sockets) {
    socket.once('close', () => {
      closed += 1
    })
    socket.on('error', () => {})
    socket.resume()
  }
  try {
    await work()
    return closed
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}

async function open({ server, plainPort, pki }: Machine): Promise<TLSSocket> {
  const { serverName, authority } = pki
  const socket = connect({ host: '127.0.0.1', port: plainPort, servername: serverName, ca: authority })
  await once(socket, 'secureConnect')
  socket.write(QUESTIONS[TERMINATORS[server].speaks](serverName))
  await once(socket, 'data')
  return socket
}
