import { execFileSync, spawnSync } from 'node:child_process'
import { createDecipheriv, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toLayout } from '../../lambda/ring/layouts.ts'
import { advance, genesis, type Ring } from '../../lambda/ring/ring.ts'
import type { TicketKey } from '../../lambda/ring/ticket-key.ts'
import { keyNameOf } from '../../local/rehearsal/clients/ticket.ts'
import type { TlsVersion } from '../../local/rehearsal/clients/tls-client.ts'
import { planFleet } from '../../local/rehearsal/machines/fleet.ts'
import { terminatorOf } from '../../local/rehearsal/machines/kinds.ts'
import type { Machine } from '../../local/rehearsal/machines/machine.ts'
import { makePki, type Pki } from '../../local/rehearsal/machines/pki.ts'
import { startServer, stopServer } from '../../local/rehearsal/machines/running-server.ts'
import { ExecTrace } from '../../local/rehearsal/secrecy/exec-trace.ts'
import { forgetDisk, forgetMemory, openWorkspace } from '../../local/rehearsal/workspace.ts'

/** L on the listener of this test, in seconds. */
const LIFETIME = 5

const workspace = openWorkspace()
const making = { parent: 'p', now: new Date(0), random: randomBytes }
const first = genesis('edge', '00000000-0000-4000-8000-000000000000', making)
let pki: Pki
let nginx: Machine
/** Process id of its master. */
let master: number
let stop: () => Promise<void>

beforeAll(async () => {
  pki = makePki(workspace.disk)
  const planned = await planFleet(
    { haproxy: 0, nginx: 1 },
    { name: 'edge', ticketLifetime: LIFETIME },
    pki,
    workspace,
  )
  nginx = planned[0] as Machine
  place(first)
  const server = await startServer(nginx, new ExecTrace(workspace.traces))
  master = server.process.pid as number
  stop = () => stopServer(server)
})
afterAll(async () => {
  await stop?.()
  forgetMemory(workspace)
  forgetDisk(workspace)
})

/** The files that nginx reads its keys from: the first encrypts. */
function place({ previous, current, next }: Ring): void {
  for (const [at, key] of [current, next, previous].entries()) {
    const file = terminatorOf(nginx).keyFiles(nginx)[at] as string
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, toLayout(key, 'nginx-80'))
  }
}

/** Loads another ring, or another L, and waits until the new workers alone answer. */
async function reload(ring: Ring): Promise<void> {
  place(ring)
  const old = childrenOf(master)
  const [command = '', ...words] = (terminatorOf(nginx).settings(nginx).NGINX_RELOAD ?? '').split(' ')
  execFileSync(command, words, { stdio: 'ignore' })
  await expect.poll(async () => keyNameOf((await come('TLSv1.3')).ticket)).toBe(ring.current.name)
  // An old worker takes connections for a moment yet.
  await expect.poll(() => childrenOf(master).filter((worker) => old.includes(worker))).toEqual([])
}

function childrenOf(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
}

/** One connection, with its session as it is once the answer is there: a resumed one may have got another ticket. */
function come(version: TlsVersion, session?: Buffer) {
  return new Promise<{ reused: boolean; session: Buffer; ticket: Buffer }>((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port: nginx.publicPort,
      servername: pki.serverName,
      ca: pki.authority,
      minVersion: version,
      maxVersion: version,
      ...(session === undefined ? {} : { session }),
    })
    socket.once('secureConnect', () => socket.write('GET / HTTP/1.0\r\n\r\n'))
    socket.on('data', () => {})
    socket.once('error', reject)
    socket.once('end', () => {
      const [given, ticket] = [socket.getSession(), socket.getTLSTicket()]
      if (given === undefined || ticket === undefined) return reject(new Error('no session'))
      resolve({ reused: socket.isSessionReused(), session: given, ticket })
    })
  })
}

/** The secret of a session, as the client holds it: for TLS 1.2 the master secret (RFC 5246 §8.1). */
function masterSecretOf(session: Buffer): Buffer {
  const text = spawnSync('openssl', ['sess_id', '-inform', 'DER', '-text', '-noout'], {
    input: session,
  }).stdout
  const [, hex = ''] = /Master-Key: ([0-9A-F]{96})/.exec(text.toString('latin1')) ?? []
  return Buffer.from(hex, 'hex')
}

/** What a holder of the key reads in a ticket (RFC 5077 §4): key name, IV, AES-256-CBC, MAC. */
function stolen(ticket: Buffer, key: TicketKey): Buffer {
  const decipher = createDecipheriv('aes-256-cbc', key.reveal().aes, ticket.subarray(16, 32))
  return Buffer.concat([decipher.update(ticket.subarray(32, -32)), decipher.final()])
}

describe('what a stolen ring reads', () => {
  it("of TLS 1.2 is a session's one secret, under each key that comes while it is resumed: 2 T and L", async () => {
    const start = await come('TLSv1.2')
    const secret = masterSecretOf(start.session)
    expect(secret).toHaveLength(48)
    expect(stolen(start.ticket, first.current).includes(secret)).toBe(true)
    let session = start.session
    let ring = first
    for (const generation of [2, 3]) {
      ring = advance(ring, making)
      await reload(ring)
      const resumed = await come('TLSv1.2', session)
      expect(resumed.reused).toBe(true)
      expect(keyNameOf(resumed.ticket), `under generation ${generation}`).toBe(ring.current.name)
      expect(stolen(resumed.ticket, ring.current).includes(secret)).toBe(true)
      session = resumed.session
    }
    // The key of its first ticket is about to leave the ring; the session's secret is under one that has just begun.
    expect(ring.previous.name).toBe(first.next.name)
  })

  it('holds with `next` the sessions that begin after the next advance', async () => {
    await reload(advance(first, making))
    const { session, ticket } = await come('TLSv1.2')
    expect(stolen(ticket, first.next).includes(masterSecretOf(session))).toBe(true)
  })

  it('L bounds a ticket, and not a chain of TLS 1.3 resumptions', async () => {
    const file = join(nginx.directory, 'ticketring.conf')
    const text = readFileSync(file, 'utf8')
    expect(text).toContain('ssl_session_timeout 7200s;')
    writeFileSync(file, text.replace('ssl_session_timeout 7200s;', `ssl_session_timeout ${LIFETIME}s;`))
    await reload(genesis('edge', first.lineage, making))
    const began = Date.now()
    const start = await come('TLSv1.3')
    let last = start
    while (Date.now() - began < (LIFETIME + 2) * 1000) {
      last = await come('TLSv1.3', last.session)
      expect(last.reused).toBe(true)
    }
    expect((await come('TLSv1.3', start.session)).reused, 'a ticket older than L').toBe(false)
    expect((await come('TLSv1.3', last.session)).reused, 'the youngest of the chain').toBe(true)
    // A revoke ends the chain: none of its keys is left.
    await reload(genesis('edge', first.lineage, making))
    expect((await come('TLSv1.3', last.session)).reused).toBe(false)
  })
})
