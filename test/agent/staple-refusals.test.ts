import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { digestOf, serialiseEntry } from '../../lambda/staples/entry.ts'
import type { StapleError } from '../../lambda/staples/result-line.ts'
import { SHA256 } from '../ocsp/forge.ts'
import { refusal } from './endpoint.ts'
import type { RunOptions } from './instance.ts'
import { STORE, StapleInstance } from './staple-instance.ts'

let instance: StapleInstance

/** Expects this error and a machine that staples on what it stapled; gives the detail. */
async function refused(error: StapleError, staples = 'all', options: RunOptions = {}): Promise<string> {
  const before = await instance.condition()
  expect(before.stapled).not.toBeNull()
  const { code, line } = await instance.run(staples, options)
  expect({ code, ...line }).toMatchObject({
    code: 1,
    result: 'failed',
    error,
    verified: 'none',
    installed: 0,
  })
  expect(await instance.condition()).toEqual(before)
  return line.detail ?? ''
}

// The checks are the same for every kind of server.
describe('a machine keeps what it staples, when', () => {
  beforeAll(async () => {
    instance = await StapleInstance.start('haproxy')
    instance.publish({ from: -9 })
    expect((await instance.run()).line.result).toBe('applied')
  })
  afterAll(() => instance.stop())
  beforeEach(() => {
    // There is always something new, so that a run which does not refuse is noticed.
    instance.machine.endpoint.parameters = new Map()
    instance.publish()
  })

  /** Bends the stored value. */
  const bend = (change: (entry: Record<string, unknown>) => void) => {
    const entry = JSON.parse(serialiseEntry(instance.entry(instance.respond()))) as Record<string, unknown>
    change(entry)
    instance.store(JSON.stringify(entry))
  }
  const holding = (der: Buffer) => (entry: Record<string, unknown>) => {
    entry.response = der.toString('base64')
    entry.sha256 = digestOf(der)
  }

  test.each<[string, (entry: Record<string, unknown>) => void, string]>([
    ['another version', (entry) => (entry.v = 2), "version '2'"],
    ['another id', (entry) => (entry.id = '0'.repeat(32)), '0000'],
    ['an unknown state', (entry) => (entry.state = 'stapled'), 'stapled'],
    ['a response that is not of its hash', (entry) => (entry.sha256 = '0'.repeat(64)), 'SHA-256'],
    ['no base64', (entry) => (entry.response = '***'), 'fields'],
    ['no word on HAProxy', (entry) => delete entry.haproxy, 'fields'],
    ['a nested list', (entry) => (entry.lastFailure = [{}]), 'JSON'],
    [
      'a beginning that is not the response’s',
      (entry) => (entry.thisUpdate = '2026-01-01T00:00:00.000Z'),
      'thisUpdate',
    ],
    ['no OCSP response', (entry) => holding(Buffer.from('hello'))(entry), 'OCSP response'],
  ])('an entry with %s is staple-malformed', async (_, change, named) => {
    bend(change)
    expect(await refused('staple-malformed')).toContain(named)
  })

  test.each([
    ['cut off', '{"v":1,'],
    ['of another kind', '[]'],
    ['given twice', '{"v":1,"v":1}'],
    ['empty', ' '],
  ])('JSON that is %s is staple-malformed', async (_, text) => {
    instance.store(text)
    await refused('staple-malformed')
  })

  test.each([
    ['serial number', () => instance.respond({}, { serial: randomBytes(17).fill(7, 0, 1) })],
    ['issuer’s name', () => instance.respond({}, { issuerNameHash: randomBytes(20) })],
    ['issuer’s key', () => instance.respond({}, { issuerKeyHash: randomBytes(20) })],
    ['issuer in SHA-256', () => instance.respond({}, { hash: SHA256, issuerKeyHash: randomBytes(32) })],
  ])('a response for another %s is staple-wrong-certificate', async (_, make) => {
    instance.storeResponse(make())
    expect(await refused('staple-wrong-certificate')).toContain(instance.id)
  })

  test('an expired response is staple-expired', async () => {
    instance.publish({ from: -3, to: -1 })
    await refused('staple-expired')
  })

  test('a response from the future is clock-skew', async () => {
    instance.publish({ from: 1 })
    await refused('clock-skew')
  })

  test('another response than the one named, not shown to be newer, is staple-mismatch after three looks', async () => {
    instance.storeResponse(instance.respond({ from: -9, to: 23 }), { from: -9, to: 23 })
    const already = instance.machine.endpoint.fetches
    const named = createHash('sha256').update('another').digest('hex')
    expect(await refused('staple-mismatch', `${instance.id}=${named}`)).toContain(named)
    expect(instance.machine.endpoint.fetches - already).toBe(3)
  })

  test('one that is named and not stored is staple-not-stored', async () => {
    instance.machine.endpoint.parameters = new Map()
    expect(await refused('staple-not-stored', `${instance.id}=${'0'.repeat(64)}`)).toContain(
      `${STORE}/${instance.id}`,
    )
  })

  test('one that is neither named nor stored is left as it is, and that is a success', async () => {
    instance.machine.endpoint.parameters = new Map()
    expect((await instance.run()).line).toMatchObject({ result: 'unchanged', held: 1 })
  })

  test('a denied read is access-denied and names the action', async () => {
    const said = 'User: u is not authorized to perform: ssm:GetParameters on resource: x'
    instance.machine.endpoint.parameters = refusal('AccessDeniedException', said)
    expect(await refused('access-denied')).toContain('ssm:GetParameters')
  })

  test.each<[StapleError, RunOptions['environment']]>([
    ['endpoint-unreachable', { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }],
    ['no-credentials', { AWS_SECRET_ACCESS_KEY: 'another/key' }],
  ])('%s', async (error, environment = {}) => {
    await refused(error, 'all', { environment })
  })

  test('an order for other certificates alone is none for this machine, and nothing is fetched', async () => {
    const already = instance.machine.endpoint.fetches
    const { code, line } = await instance.run(`${'0'.repeat(32)}=${'0'.repeat(64)}`)
    expect({ code, ...line }).toMatchObject({ code: 0, result: 'unchanged', installed: 0, verified: 'none' })
    expect(instance.machine.endpoint.fetches).toBe(already)
  })

  test.each([
    ['all,'],
    ['everything'],
    [`${'0'.repeat(32)}=withdrawn,`],
    [`${'0'.repeat(31)}=withdrawn`],
    [`${'0'.repeat(32)}=$(id)`],
    [`${'g'.repeat(32)}=withdrawn`],
  ])('the order %s is wrong usage', async (order) => {
    const { code, stdout, stderr } = await instance.run(order)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('usage:')
  })
})

describe('settings', () => {
  beforeAll(async () => {
    instance = await StapleInstance.start('nginx')
    instance.publish()
  })
  afterAll(() => instance.stop())

  test.each([
    ['an unknown one', 'SECRET=ticketring/edge', 'SECRET'],
    ['a pair without a staple', 'NGINX_STAPLES=/etc/nginx/edge.pem', '/etc/nginx/edge.pem'],
    ['a relative staple', 'NGINX_STAPLES=/etc/nginx/edge.pem=edge.ocsp', 'edge.ocsp'],
    ['no certificates', 'NGINX_STAPLES=', 'NGINX_STAPLES'],
    ['a relative store', 'STORE=staples', 'STORE'],
  ])('%s in the file of the machine is config-invalid and is named', async (_, text, named) => {
    instance.machine.writeConf(`${text}\n`, 'outer.staples')
    const { line } = await instance.run()
    expect(line).toMatchObject({ error: 'config-invalid', installed: 0 })
    expect(line.detail).toContain(named)
  })

  test('a certificate file without a certificate is certificate-unreadable', async () => {
    const file = join(instance.machine.terminator.directory, 'empty.pem')
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, 'nothing')
    instance.machine.writeConf(`NGINX_STAPLES=${file}=${instance.file}\n`, 'outer.staples')
    expect((await instance.run()).line).toMatchObject({ error: 'certificate-unreadable' })
  })
})
