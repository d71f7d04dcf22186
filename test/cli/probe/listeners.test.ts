/** Real servers, as any fleet has them. */

import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { createServer, type Server } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toLayout } from '../../../lambda/ring/layouts.ts'
import { keysOf } from '../../../lambda/ring/ring.ts'
import { SERVER_NAME } from '../../agent/identity.ts'
import { ringOf } from '../../agent/instance.ts'
import { startHaproxy, startNginx, type Terminator } from '../../agent/terminators.ts'
import { ticketring } from '../command-line.ts'

const ring = ringOf(1)
const keys = keysOf(ring)
const [previous, current, next] = keys
let [haproxies, nginx]: [Terminator[], Terminator | undefined] = [[], undefined]

beforeAll(async () => {
  const lines = keys.map((key) => toLayout(key, 'haproxy-80').toString('base64'))
  haproxies = await Promise.all([startHaproxy(lines), startHaproxy(lines)])
  nginx = await startNginx(
    [current, next, previous].map((key) => toLayout(key as typeof current, 'nginx-80')),
  )
})
afterAll(() => Promise.all([...haproxies, nginx].map((each) => each?.stop())))

const at = (terminator: Terminator | undefined, kind: keyof Terminator['ports']) =>
  `127.0.0.1:${terminator?.ports[kind]}`
const probe = (...words: string[]) => ticketring('probe', '--servername', SERVER_NAME, ...words)
const named = (address: string) => `${address}=${SERVER_NAME}`
const keyName = current.name

interface Printed {
  readonly listeners: readonly Record<string, unknown>[]
  readonly resumptions: readonly { readonly from: string; readonly to: string; readonly outcome: string }[]
  readonly findings: readonly { readonly code: string; readonly detail: string }[]
}
async function seen(...words: string[]): Promise<Printed & { readonly code: number }> {
  const { code, stdout } = await probe('--json', ...words)
  return { code, ...(JSON.parse(stdout) as Printed) }
}
const codesOf = ({ findings }: Printed) => [...new Set(findings.map(({ code }) => code))]

describe('ticketring probe', () => {
  it('finds nothing at machines of a kind that share their keys', async () => {
    const { code, stdout } = await probe(...haproxies.map((each) => at(each, 'plain')))
    expect(stdout).toContain(`${keyName.slice(0, 8)}…`)
    expect(stdout.split('\n').at(-2)).toBe('OK: 2 listeners, 8 of 8 tickets resumed')
    expect(code).toBe(0)
  })

  it('tells the whole key name, the announced lifetime and each resumption as JSON', async () => {
    const addresses = haproxies.map((each) => at(each, 'plain'))
    const { code, listeners, resumptions, findings } = await seen(...addresses)
    expect({ code, findings }).toEqual({ code: 0, findings: [] })
    expect(listeners).toHaveLength(4)
    for (const each of listeners)
      expect(each).toMatchObject({ state: 'tickets', keyName, lifetime: 7200, asksForCertificate: false })
    expect(resumptions).toHaveLength(8)
  })

  it('finds that a ticket of an open listener opens a guarded one, and says between which', async () => {
    const [machine, other] = haproxies
    const { code, findings } = await seen(at(machine, 'plain'), at(other, 'client-certificate'))
    expect(code).toBe(1)
    expect(findings.map((each) => each.code)).toEqual(['auth-bypass', 'auth-bypass'])
    expect(findings[0]?.detail).toContain(
      `a ticket of ${named(at(machine, 'plain'))} opens ${named(at(other, 'client-certificate'))}`,
    )
  })

  it('finds it too where the open listener speaks TLS 1.3 alone, where the request for a certificate is encrypted', async () => {
    const [machine, other] = haproxies
    const { findings } = await seen(at(machine, 'tls13'), at(other, 'client-certificate'))
    expect(findings.map((each) => each.code)).toEqual(['auth-bypass'])
  })

  it('finds no open door at nginx, which takes no such ticket', async () => {
    const { findings, listeners } = await seen(at(nginx, 'plain'), at(nginx, 'client-certificate'))
    expect(findings.filter(({ code }) => code === 'auth-bypass')).toEqual([])
    expect(listeners.map(({ asksForCertificate }) => asksForCertificate)).toEqual([false, false, true, true])
  })

  it('finds tickets that are off, keys that differ, listeners that are away, and keeps versions that are off for none', async () => {
    const [machine] = haproxies
    const words = (['plain', 'tickets-off', 'other', 'tls12', 'proxy'] as const).map((kind) =>
      at(machine, kind),
    )
    const printed = await seen('--timeout', '6', ...words)
    expect(codesOf(printed).toSorted()).toEqual(['different-keys', 'tickets-off', 'unreachable'])
    expect(printed.findings.filter(({ code }) => code === 'tickets-off')).toHaveLength(2)
    expect(printed.findings.find(({ code }) => code === 'unreachable')?.detail).toContain(
      at(machine, 'proxy'),
    )
    const tls13 = printed.listeners.find(
      ({ listener, version }) => listener === named(at(machine, 'tls12')) && version === 'TLSv1.3',
    )
    expect(tls13).toMatchObject({ state: 'version-off' })
  })

  it('finds that machines of different kinds take no ticket of each other, though they share a key', async () => {
    const printed = await seen(at(haproxies[0], 'plain'), at(nginx, 'plain'))
    expect(printed.findings.filter(({ code }) => code === 'not-resumed')).toHaveLength(4)
  })

  it('looks at the others where a listener answers nonsense and resets the connection', async () => {
    const nonsense = createTcpServer((socket) => {
      socket.on('error', () => {})
      socket.write(Buffer.alloc(70_000, 0x16))
      socket.once('data', () => socket.resetAndDestroy())
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => nonsense.once('listening', resolve))
    const bad = `127.0.0.1:${(nonsense.address() as AddressInfo).port}`
    const printed = await seen('--timeout', '5', bad, at(haproxies[0], 'plain'))
    nonsense.close()
    expect(printed.findings.map(({ code }) => code)).toEqual(['unreachable'])
    expect(printed.resumptions.filter(({ outcome }) => outcome === 'reused')).toHaveLength(2)
  })

  it('bears a server that closes at the end of the handshake', async () => {
    const { certificate, key } = (haproxies[0] as Terminator).identity
    const identity = { cert: readFileSync(certificate), key: readFileSync(key) }
    const hasty = createServer(identity, (socket) => socket.destroy()).listen(0, '127.0.0.1')
    await new Promise((resolve) => hasty.once('listening', resolve))
    const { port } = hasty.address() as AddressInfo
    const printed = await seen('--timeout', '5', `127.0.0.1:${port}`, at(haproxies[0], 'plain'))
    hasty.close()
    expect(printed.listeners).toHaveLength(4)
  })

  it('cannot tell where nothing answers', async () => {
    const { code, stdout } = await probe('127.0.0.1:1')
    expect(code).toBe(2)
    expect(stdout).toContain('connection refused')
    expect(stdout).toContain('CANNOT TELL: no TLS from 1 listener')
  })

  describe('a server whose key is no secret', () => {
    let server: Server
    beforeAll(async () => {
      const { certificate, key } = (haproxies[0] as Terminator).identity
      server = createServer({
        cert: readFileSync(certificate),
        key: readFileSync(key),
        ticketKeys: Buffer.alloc(48),
      }).listen(0, '127.0.0.1')
      await new Promise((resolve) => server.once('listening', resolve))
    })
    afterAll(() => server.close())

    it('is found, in both versions', async () => {
      const { port } = server.address() as AddressInfo
      const printed = await seen(`127.0.0.1:${port}`)
      expect(printed.code).toBe(1)
      expect(printed.findings.map(({ code, detail }) => [code, /all-zero/.test(detail)])).toEqual([
        ['known-key', true],
        ['known-key', true],
      ])
    })
  })
})
