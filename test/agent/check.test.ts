/** `ticketring ring --check`: every problem of a machine at once, and nothing loaded or left behind. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { refusal } from './endpoint.ts'
import { Instance, ringOf } from './instance.ts'
import { verifyListener } from './terminators.ts'

interface Line {
  readonly check: string
  readonly server: string
  readonly serverVersion?: string
  readonly generation?: number
  readonly listeners?: { readonly open: number; readonly guarded: number }
  readonly lifetime?: number
  readonly clock?: number
  readonly problems: readonly { readonly code: string; readonly detail: string }[]
}

let instance: Instance
afterEach(() => instance.stop())

/** What Run Command shows of an output. */
const SHOWN = 2500

async function check(environment: Record<string, string> = {}) {
  const { code, stdout, stderr } = await instance.run({ arguments: ['--check', 'edge'], environment })
  expect(stderr).toBe('')
  expect(Buffer.byteLength(stdout)).toBeLessThan(SHOWN)
  const line = JSON.parse(stdout) as Line
  // What this machine itself has is no concern of the test's.
  const problems = line.problems.filter((each) => each.code !== 'swap-unencrypted')
  return { code, line, codes: problems.map((each) => each.code), problems }
}

const entries = () => readdirSync(instance.terminator.directory).sort()

describe.each(['haproxy', 'nginx'] as const)('a check of a machine with %s', (server) => {
  test('that is sound finds nothing, says what is there, and changes nothing', async () => {
    const ring = ringOf(3)
    instance = await Instance.start(server, ring)
    const before = await instance.condition()
    const present = entries()
    const { line, codes } = await check()
    expect(codes).toEqual([])
    expect(line).toMatchObject({
      v: 1,
      check: 'edge',
      server,
      serverVersion: expect.stringMatching(/^\d/),
      python: expect.stringMatching(/^3\./),
      openssl: expect.stringMatching(/^\d/),
      generation: 3,
      listeners: { open: 1, guarded: 0 },
      lifetime: expect.any(Number),
      script: 'abcdef012345',
    })
    expect(await instance.condition()).toEqual(before)
    expect(entries()).toEqual(present)
  })

  test('names all that is in the way, and not only the first', async () => {
    instance = await Instance.start(server, ringOf(3))
    const kind = server.toUpperCase()
    instance.endpoint.secret = refusal('AccessDeniedException', 'not authorized')
    instance.set('TICKET_LIFETIME=1')
    instance.set(`${kind}_VERIFY=${verifyListener(instance.terminator)} 127.0.0.1:1=a.test`)
    instance.set('RUN_DIR=/var/lib/ticketring-check-test/edge')
    const { code, codes, line } = await check()
    expect(code).toBe(1)
    expect(codes.toSorted()).toEqual([
      'access-denied',
      'lifetime-exceeded',
      'not-tmpfs',
      'verify-unreachable',
    ])
    expect(line.generation).toBeUndefined()
  })
})

describe('a check of HAProxy', () => {
  const start = async () => {
    instance = await Instance.start('haproxy', ringOf(3))
  }

  test('finds open and guarded listeners of one ring, and tries the tickets of the ones at the others', async () => {
    await start()
    instance.verifyOn('plain', 'client-certificate')
    const { codes, line } = await check()
    expect(line.listeners).toEqual({ open: 1, guarded: 1 })
    expect(codes).toContain('mixed-listeners')
    expect(codes).toContain('verify-client-certificate')
    // Debian's 2.6.12 serves such a ticket.
    if (line.serverVersion?.startsWith('2.')) {
      expect(codes).toContain('auth-bypass')
      expect(codes).toContain('release-affected')
    }
  })

  test('names a socket of another level, a key file that no bind names, and a server that does not run', async () => {
    await start()
    const [keys = ''] = instance.terminator.keyFiles
    instance.set(`HAPROXY_KEYS=${keys}.other`)
    expect((await check()).codes).toEqual(['socket-unexpected'])
    instance.set(`HAPROXY_KEYS=${join(instance.terminator.directory, 'absent/edge/haproxy.keys')}`)
    const { problems } = await check()
    expect(problems.map(({ code }) => code)).toEqual(['socket-unexpected'])
    expect(problems[0]?.detail).toContain(`${instance.terminator.directory}/absent/edge/haproxy.keys`)
    expect(readdirSync(instance.terminator.directory)).not.toContain('absent')
    instance.set(`HAPROXY_KEYS=${keys}`)
    await instance.terminator.halt()
    expect((await check()).codes).toContain('server-not-running')
  })

  test('asks no memory for the keys of another kind that its ring names too', async () => {
    await start()
    instance.set('NGINX_KEYS=/opt/nginx')
    instance.set('SERVER=haproxy')
    expect((await check()).codes).toEqual([])
    instance.set('SERVER=nginx')
    expect((await check()).codes).toContain('not-tmpfs')
  })

  test('names a hold, no endpoint, and a word that is none in its settings, beside each other', async () => {
    await start()
    const run = join(instance.terminator.directory, 'run')
    mkdirSync(run)
    writeFileSync(join(run, 'hold'), 'disk is replaced')
    instance.writeConf('ALLOW_DISK=maybe\n')
    const { codes } = await check({ AWS_ENDPOINT_URL: 'http://127.0.0.1:1' })
    expect(codes.toSorted()).toEqual(['config-invalid', 'endpoint-unreachable', 'held-on-machine'])
    instance.writeConf('NO_SUCH=1\n')
    expect((await check()).codes).toEqual(['config-invalid'])
  })

  test('says less of each problem where there are many, and names each within what Run Command shows', async () => {
    await start()
    const many = Array.from({ length: 20 }, (_, at) => `127.0.0.1:${at + 1}=${'long-'.repeat(10)}${at}.test`)
    instance.set(`HAPROXY_VERIFY=${verifyListener(instance.terminator)} ${many.join(' ')}`)
    const { codes } = await check()
    expect(codes.filter((code) => code === 'verify-unreachable')).toHaveLength(20)
  })
})
