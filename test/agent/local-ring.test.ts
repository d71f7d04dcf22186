/** Without a ring of Secrets Manager: the server starts all the same, old keys go, and the next contact brings the ring. */
import { chownSync, existsSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { parseResultLine } from '../../lambda/ring/result-line.ts'
import { refusal } from './endpoint.ts'
import { advanced, type Instance, type Run, ringOf } from './instance.ts'
import { findFields, secretFieldsIn } from './key-bytes.ts'
import { failed, startMachine, startOneBehind } from './machine.ts'
import type { Kind } from './terminators.ts'

let machine: Instance
afterEach(() => machine.stop())

const DAY = 86_400
const DENIED = refusal('AccessDeniedException', 'not authorized to perform: secretsmanager:GetSecretValue')
const SKEWED = refusal('InvalidSignatureException', 'Signature expired: 20261120T000000Z is now earlier', 403)
const BOOT = { arguments: ['--boot', 'edge'] }
const PULL = { arguments: ['--pull', 'edge'] }
const LOCAL = { result: 'local-ring', lineage: '', generation: 0, error: 'access-denied' }

/** A machine that runs generation 1, and whose Secrets Manager refuses it from now on. */
async function cutOff(server: Kind): Promise<void> {
  machine = await startMachine(server)
  expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 1 })
  machine.endpoint.secret = DENIED
  machine.set('BOOT_WAIT=1')
  rmSync(join(machine.runDirectory, 'asked'))
}

/** Has the last ordinary run been so many seconds ago. */
function lastAsked(seconds: number): void {
  const at = Date.now() / 1000 - seconds
  utimesSync(join(machine.runDirectory, 'asked'), at, at)
}

/** The machine goes down, and what was on its tmpfs with it. */
async function goDown(): Promise<void> {
  await machine.terminator.halt()
  for (const file of machine.terminator.keyFiles) rmSync(file)
  rmSync(machine.runDirectory, { recursive: true })
}

/** Has the last answer of Secrets Manager come so many days ago. */
function lastHeard(days: number): void {
  const at = Date.now() / 1000 - days * DAY
  utimesSync(join(machine.runDirectory, 'state'), at, at)
}

const lastContact = () => Date.now() - statSync(join(machine.runDirectory, 'state')).mtimeMs

/** No secret field of the machine's files is in what a run says and leaves, in any form. */
function expectNoKeyBytes({ stdout, stderr }: Run): void {
  const { server, keyFiles } = machine.terminator
  const fields = keyFiles.flatMap((file) => secretFieldsIn(server, readFileSync(file)))
  // Of three keys an AES and an HMAC key each.
  expect(new Set(fields.map((field) => field.toString('hex'))).size).toBe(6)
  const said = Buffer.from(stdout + stderr + readFileSync(join(machine.runDirectory, 'state'), 'latin1'))
  expect(findFields(said, fields)).toBe(0)
  for (const file of keyFiles) expect(findFields(readFileSync(file), fields)).toBeGreaterThan(0)
}

const KINDS = ['haproxy', 'nginx', 'h2o', 'dnsdist', 'trafficserver', 'envoy'] as const

// Of lighttpd, which takes minutes for each ring: lighttpd.test.ts.
describe.each(KINDS)('%s', (server) => {
  test('boots with a ring of its own, serves, and the next run brings the ring with a proof', async () => {
    await cutOff(server)
    await goDown()
    const boot = await machine.run(BOOT)
    expect({ code: boot.code, ...boot.line }).toMatchObject({ code: 0, ...LOCAL, verified: 'none' })
    expect(boot.line.detail).toContain('a ring of this machine')
    expectNoKeyBytes(boot)
    await machine.terminator.restart()
    expect((await machine.encryptsWith()).length).toBe(32)
    const still = await machine.run()
    expect({ code: still.code, ...still.line }).toMatchObject({ code: 1, ...LOCAL })
    const ring = ringOf(5)
    machine.publish(ring)
    const after = await machine.run()
    expect({ code: after.code, ...after.line }).toMatchObject({
      code: 0,
      result: 'reset',
      generation: 5,
      verified: 'handshake',
      afterLocalRing: true,
    })
    expect(await machine.encryptsWith()).toBe(ring.current.name)
    expect((await machine.run()).line).toMatchObject({ result: 'unchanged', afterLocalRing: true })
    machine.publish(advanced(ring))
    expect((await machine.run()).line).not.toHaveProperty('afterLocalRing')
  })

  test('keeps key files that it could start with, and says what failed', async () => {
    await cutOff(server)
    const before = machine.files()
    const { line } = await failed(machine, 'access-denied', BOOT)
    expect(line.result).toBe('failed')
    expect(machine.files()).toBe(before)
  })

  test('replaces its keys after seven days without an answer, and proves it', async () => {
    await cutOff(server)
    const before = await machine.encryptsWith()
    lastHeard(7.1)
    const { code, line } = await machine.run(PULL)
    expect({ code, ...line }).toMatchObject({ code: 1, ...LOCAL, verified: 'handshake' })
    const after = await machine.encryptsWith()
    expect(after).not.toBe(before)
    expect(line.encryptsWith).toBe(after)
    expect((await machine.run(PULL)).line).toMatchObject(LOCAL)
    expect(await machine.encryptsWith()).toBe(after)
  })
})

describe('a boot', () => {
  test.each<[string, (file: string) => void]>([
    ['empty', (file) => writeFileSync(file, '')],
    ['cut short', (file) => writeFileSync(file, readFileSync(file).subarray(1))],
    ['all zero', (file) => writeFileSync(file, Buffer.alloc(readFileSync(file).length))],
    ['another user’s', (file) => chownSync(file, 65_534, -1)],
  ])('does not leave its server with a key file that is %s', async (_, spoil) => {
    await cutOff('haproxy')
    const [file = ''] = machine.terminator.keyFiles
    spoil(file)
    const { code, line } = await machine.run(BOOT)
    expect({ code, ...line }).toMatchObject({ code: 0, ...LOCAL })
    await machine.terminator.halt()
    await machine.terminator.restart()
    expect((await machine.encryptsWith()).length).toBe(32)
  })

  test('without a ring and with a clock that AWS calls wrong has its server start', async () => {
    await cutOff('haproxy')
    machine.endpoint.secret = SKEWED
    await goDown()
    expect((await machine.run(BOOT)).line).toMatchObject({ ...LOCAL, error: 'clock-skew' })
  })

  test.each<[string, Parameters<Instance['run']>[0]]>([
    ['without a network', { ...BOOT, prefix: ['unshare', '-n'] }],
    [
      'without a service at the address',
      { ...BOOT, environment: { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' } },
    ],
  ])('%s has its server start', async (_, options) => {
    await cutOff('nginx')
    await goDown()
    const { code, line } = await machine.run(options)
    expect({ code, ...line }).toMatchObject({ code: 0, ...LOCAL, error: 'endpoint-unreachable' })
    await machine.terminator.restart()
  })

  test('waits for what comes late', async () => {
    await cutOff('haproxy')
    await goDown()
    machine.set('BOOT_WAIT=60')
    let asked = 0
    machine.endpoint.onFetch = () => {
      asked += 1
      if (asked === 3) machine.publish(ringOf(3))
    }
    expect((await machine.run(BOOT)).line).toMatchObject({ result: 'applied', generation: 3 })
    expect(asked).toBe(3)
  })

  test('with a ring that is none does not wait', async () => {
    await cutOff('haproxy')
    await goDown()
    machine.set('BOOT_WAIT=60')
    machine.endpoint.secret = '{}'
    expect((await machine.run(BOOT)).line).toMatchObject({ ...LOCAL, error: 'no-ring' })
    expect(machine.endpoint.fetches).toBe(2)
  })

  test('that is stopped leaves no ring of its own', async () => {
    await cutOff('haproxy')
    await goDown()
    machine.set('BOOT_WAIT=60')
    const { pid, ended } = machine.begin(BOOT)
    machine.endpoint.onFetch = () => {
      process.kill(pid, 'SIGTERM')
    }
    expect((await ended).line).toMatchObject({ result: 'failed', error: 'interrupted' })
    expect(machine.terminator.keyFiles.some((file) => existsSync(file))).toBe(false)
  })
})

describe('a pull', () => {
  test('rests while State Manager runs, and reads at each quarter of an hour once that is silent', async () => {
    const [older] = await startOneBehind('haproxy')
    machine = older
    expect(machine.endpoint.fetches).toBe(1)
    // Of a healthy machine: the association's reading each half an hour is the only one.
    for (const seconds of [0, 900, 1799, 2000]) {
      lastAsked(seconds)
      const { code, line } = await machine.run(PULL)
      expect({ code, ...line }).toMatchObject({
        code: 0,
        result: 'unchanged',
        verified: 'none',
        generation: 1,
      })
    }
    expect(machine.endpoint.fetches).toBe(1)
    lastAsked(2101)
    for (const result of ['applied', 'unchanged'])
      expect((await machine.run(PULL)).line).toMatchObject({ result, generation: 2, verified: 'handshake' })
    expect(machine.endpoint.fetches).toBe(3)
    machine.set('REPAIR_EVERY=3600')
    expect((await machine.run(PULL)).line).toMatchObject({ result: 'unchanged', verified: 'none' })
    expect(machine.endpoint.fetches).toBe(3)
    // By hand it asks at once.
    expect((await machine.run()).line).toMatchObject({ result: 'unchanged', verified: 'handshake' })
    expect(machine.endpoint.fetches).toBe(4)
  })

  test('does not rest after an ordinary run that failed', async () => {
    await cutOff('haproxy')
    await failed(machine, 'access-denied')
    expect((await machine.run(PULL)).code).toBe(75)
  })

  test('brings what no command brought, and the next command hears of it', async () => {
    const [older, next] = await startOneBehind('haproxy')
    machine = older
    lastAsked(2101)
    expect((await machine.run(PULL)).line).toMatchObject({ result: 'applied', generation: 2, pulled: 2 })
    expect((await machine.run()).line).toMatchObject({ result: 'unchanged', generation: 2, pulled: 2 })
    machine.publish(advanced(next))
    const { line } = await machine.run()
    expect(line).toMatchObject({ result: 'applied', generation: 3 })
    expect(line).not.toHaveProperty('pulled')
    expect((await machine.run(PULL)).line).not.toHaveProperty('pulled')
  })

  test('without an answer fails no unit, until it has had none for STALE_AFTER', async () => {
    await cutOff('haproxy')
    const before = await machine.condition()
    const young = await machine.run(PULL)
    expect({ code: young.code, ...young.line }).toMatchObject({ code: 75, error: 'access-denied' })
    lastHeard(2.1)
    const old = await failed(machine, 'ring-stale', PULL)
    expect(old.line.detail).toContain('access-denied: ')
    await failed(machine, 'access-denied')
    machine.set(`STALE_AFTER=${3 * DAY}`)
    expect((await machine.run(PULL)).code).toBe(75)
    expect(await machine.condition()).toEqual(before)
  })

  test('does not go by a clock that AWS calls wrong', async () => {
    await cutOff('haproxy')
    machine.endpoint.secret = SKEWED
    lastHeard(8)
    const before = machine.files()
    expect((await machine.run(PULL)).line).toMatchObject({ result: 'failed', error: 'ring-stale' })
    expect(machine.files()).toBe(before)
  })

  test('counts from the last answer, whether or not it brought anything', async () => {
    await cutOff('haproxy')
    lastHeard(6)
    machine.publish(ringOf(1))
    machine.endpoint.secret = DENIED
    await machine.run()
    expect(lastContact()).toBeGreaterThan(5 * DAY * 1000)
    machine.endpoint.secret = '{}'
    await failed(machine, 'no-ring')
    expect(lastContact()).toBeGreaterThan(5 * DAY * 1000)
  })

  test('and a boot are two things', async () => {
    await cutOff('haproxy')
    const { code, stderr } = await machine.run({ arguments: ['--boot', '--pull', 'edge'] })
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('not both') })
  })
})

test('a state of an earlier release is read', async () => {
  const [older] = await startOneBehind('nginx')
  machine = older
  const state = join(machine.runDirectory, 'state')
  expect(readFileSync(state, 'utf8')).toMatch(/^1 [0-9a-f-]{36} 1( [0-9a-f]{32}){3}\n$/)
  expect(parseResultLine((await machine.run()).stdout)).toMatchObject({ result: 'applied', generation: 2 })
})
