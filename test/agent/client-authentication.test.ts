/**
 * What shares ticket keys shares authentication: why a ring in which guarded and open listeners meet is refused at synth.
 * A client without a certificate takes a ticket from an open listener and tries it at a guarded one.
 */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { toLayout } from '../../lambda/ring/layouts.ts'
import { keysOf } from '../../lambda/ring/ring.ts'
import { TLS_VERSIONS, type TlsVersion } from '../../local/rehearsal/clients/tls-client.ts'
import { NO_NAMESERVERS } from '../../local/rehearsal/machines/haproxy.ts'
import { freePorts } from '../../local/rehearsal/machines/ports.ts'
import { type Identity, makeCertificate, SERVER_NAME } from './identity.ts'
import { ringOf } from './instance.ts'
import { ServerProcess, startNginx, type Terminator, tmpfsDirectory } from './terminators.ts'

/** One listener: its port and the name to ask it for. */
interface Listener {
  readonly port: number
  readonly serverName: string
}

/** What came of a connection: the body of the answer, or its status where it is no 200, or that there was none. */
interface Outcome {
  readonly answer: string
  readonly reused: boolean
  readonly session?: Buffer
}

function visit({ port, serverName }: Listener, version: TlsVersion, session?: Buffer): Promise<Outcome> {
  return new Promise((resolve) => {
    const bounds = { minVersion: version, maxVersion: version, rejectUnauthorized: false }
    const known = session === undefined ? {} : { session }
    const socket = connect({ host: '127.0.0.1', port, servername: serverName, ...bounds, ...known })
    let [text, reused]: [string, boolean] = ['', false]
    let given: Buffer | undefined
    socket.setTimeout(5_000, () => socket.destroy())
    socket.once('secureConnect', () => {
      reused = socket.isSessionReused()
      socket.write('GET / HTTP/1.0\r\n\r\n')
    })
    socket.on('session', (each) => {
      given = each
    })
    socket.on('data', (data) => {
      text += data
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      const [, status = 'none', body = ''] = /^HTTP\/1\.1 (\d+)[\s\S]*?\r\n\r\n([\s\S]*)/.exec(text) ?? []
      const answer = status === '200' ? body : status
      resolve({
        answer,
        reused,
        ...(given === undefined ? {} : { session: given }),
      })
    })
  })
}

/** A ticket of the open listener, tried at the guarded one; before that, the guarded one without a ticket. */
async function trespass(open: Listener, guarded: Listener, version: TlsVersion, welcome = 'ssl_c_used=0') {
  const fresh = await visit(guarded, version)
  const { answer, session } = await visit(open, version)
  expect({ answer, session: session !== undefined }).toEqual({ answer: welcome, session: true })
  const { reused, ...resumed } = await visit(guarded, version, session)
  return { fresh: fresh.answer, resumed: resumed.answer, reused }
}

const servers: { end(): Promise<void> }[] = []
const directories: string[] = []
let nginx: Terminator | undefined
afterEach(async () => {
  for (const server of servers.splice(0)) await server.end()
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
  await nginx?.stop()
  nginx = undefined
})

interface Material {
  readonly directory: string
  readonly identity: Identity
  /** Files of two rings. */
  readonly keys: readonly [string, string]
}

function material(): Material {
  const directory = tmpfsDirectory()
  directories.push(directory)
  const identity = makeCertificate(directory)
  const keys = ['one', 'two'].map((name) => {
    const file = join(directory, `${name}.keys`)
    const lines = keysOf(ringOf(1)).map((key) => toLayout(key, 'haproxy-80').toString('base64'))
    writeFileSync(file, `${lines.join('\n')}\n`)
    return file
  })
  return { directory, identity, keys: keys as [string, string] }
}

/** HAProxy with these bind lines, which says whether a client certificate was used. */
async function haproxy(directory: string, port: number, binds: readonly string[]): Promise<void> {
  const file = join(directory, `haproxy.${port}.cfg`)
  const answer = 'http-request return status 200 content-type text/plain lf-string ssl_c_used=%[ssl_c_used]'
  const timeouts = ['connect', 'client', 'server'].map((kind) => `timeout ${kind} 5s`)
  const text = ['defaults', 'mode http', ...timeouts, 'frontend tls', ...binds, answer, NO_NAMESERVERS]
  writeFileSync(file, text.join('\n'))
  const server = new ServerProcess('haproxy', ['-db', '-f', file], port)
  await server.start()
  servers.push(server)
}

const required = ({ certificate }: Identity) => `verify required ca-file ${certificate}`
const GUARDED_NAME = 'guarded.test'

type Arrangement = (
  bind: (port: number, words: string) => string,
  given: Material,
) => Promise<readonly [open: Listener, guarded: Listener]>

const ARRANGEMENTS: Readonly<Record<string, Arrangement>> = {
  'two binds': async (bind, { directory, identity, keys: [keys] }) => {
    const [open, guarded] = (await freePorts(2)) as [number, number]
    const crt = `crt ${identity.site} tls-ticket-keys ${keys}`
    await haproxy(directory, open, [bind(open, crt), bind(guarded, `${crt} ${required(identity)}`)])
    return [at(open), at(guarded)]
  },
  'two processes': async (bind, { directory, identity, keys: [keys] }) => {
    const [open, guarded] = (await freePorts(2)) as [number, number]
    const crt = `crt ${identity.site} tls-ticket-keys ${keys}`
    await haproxy(directory, open, [bind(open, crt)])
    await haproxy(directory, guarded, [bind(guarded, `${crt} ${required(identity)}`)])
    return [at(open), at(guarded)]
  },
  'two names of one crt-list': async (bind, { directory, identity, keys: [keys] }) => {
    const [port] = (await freePorts(1)) as [number]
    const list = join(directory, 'crt.list')
    const entries = [`[${required(identity)}] ${GUARDED_NAME}`, SERVER_NAME].map(
      (each) => `${identity.site} ${each}`,
    )
    writeFileSync(list, `${entries.reverse().join('\n')}\n`)
    await haproxy(directory, port, [bind(port, `crt-list ${list} tls-ticket-keys ${keys}`)])
    return [at(port), { port, serverName: GUARDED_NAME }]
  },
}

const at = (port: number): Listener => ({ port, serverName: SERVER_NAME })
const bindLine = (port: number, words: string) => `bind 127.0.0.1:${port} ssl ${words}`

/** Fixed in 3.5-dev5 (5d5f12376, 52bdd0d02, 4a8f76220, August 2026); of stable releases none is known to have the fixes. */
function isMended(): boolean {
  const [, major = '', minor = ''] =
    /version (\d+)\.(\d+)/.exec(execFileSync('haproxy', ['-v'], { encoding: 'utf8' })) ?? []
  return Number(major) * 100 + Number(minor) >= 305
}

describe.each(TLS_VERSIONS)('%s', (version) => {
  test.each(Object.keys(ARRANGEMENTS))(
    'HAProxy, one key file, %s: who shows no certificate is served by a ticket of the open listener',
    async (name) => {
      const arrange = ARRANGEMENTS[name] as Arrangement
      const [open, guarded] = await arrange(bindLine, material())
      const served = { fresh: 'none', resumed: 'ssl_c_used=0', reused: true }
      const refused = { fresh: 'none', resumed: 'none', reused: false }
      expect(await trespass(open, guarded, version)).toEqual(isMended() ? refused : served)
    },
  )

  test('HAProxy, two key files, as two rings have: refused', async () => {
    const { directory, identity, keys } = material()
    const [open, guarded] = (await freePorts(2)) as [number, number]
    const lines = keys.map((file) => `crt ${identity.site} tls-ticket-keys ${file}`)
    const binds = [bindLine(open, lines[0] ?? ''), bindLine(guarded, `${lines[1]} ${required(identity)}`)]
    await haproxy(directory, open, binds)
    expect(await trespass(at(open), at(guarded), version)).toEqual({
      fresh: 'none',
      resumed: 'none',
      reused: false,
    })
  })

  test.each(['one ring', 'two rings'])('nginx, listeners of %s: refused', async (rings) => {
    const raw = keysOf(ringOf(1)).map((key) => toLayout(key, 'nginx-80')) as [Buffer, Buffer, Buffer]
    nginx = await startNginx([raw[1], raw[2], raw[0]])
    const { ports } = nginx
    const [open, guarded] = [ports[rings === 'one ring' ? 'plain' : 'other'], ports['client-certificate']]
    const outcome = await trespass(at(open), at(guarded), version, 'ok')
    expect(outcome).toEqual({ fresh: '400', resumed: '400', reused: false })
  })
})
