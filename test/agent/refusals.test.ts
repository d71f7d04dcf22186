import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { InstanceError } from '../../lambda/ring/result-line.ts'
import { type Ring, serialiseRing } from '../../lambda/ring/ring.ts'
import { NO_CREDENTIALS, refusal } from './endpoint.ts'
import { advanced, Instance, type RunOptions, ringOf } from './instance.ts'
import { pathWithout } from './tool-shims.ts'

const CLOSED = 'http://127.0.0.1:1'

let ring: Ring
let instance: Instance
beforeEach(async () => {
  ring = ringOf(1)
  instance = await Instance.start('haproxy', ring)
  await instance.run()
  // There is always something to do, so that a run which does not refuse is noticed.
  instance.publish(advanced(ring))
})
afterEach(() => instance.stop())

/** Runs, expects this error and a machine that runs what it ran before; gives the detail. */
async function refused(error: InstanceError, options: RunOptions = {}): Promise<string> {
  const before = await instance.condition()
  const { code, line } = await instance.run(options)
  expect(line).toMatchObject({ result: 'failed', error, verified: 'none', ring: 'edge' })
  expect(code).toBe(1)
  expect(await instance.condition()).toEqual(before)
  return line.detail ?? ''
}

describe('credentials and endpoint', () => {
  test('no credentials anywhere is no-credentials and names the places', async () => {
    const environment = { ...NO_CREDENTIALS, AWS_EC2_METADATA_SERVICE_ENDPOINT: CLOSED }
    expect(await refused('no-credentials', { environment })).toContain(CLOSED)
  })

  test('a denied read is access-denied and names the action and the resource', async () => {
    const action = 'secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:eu-central-1:1:secret:x'
    instance.endpoint.secret = refusal(
      'AccessDeniedException',
      `User: u is not authorized to perform: ${action}`,
    )
    expect(await refused('access-denied')).toContain(action)
  })

  test('a key of KMS that may not be used is access-denied', async () => {
    instance.endpoint.secret = refusal('AccessDeniedException', 'Access to KMS is not allowed')
    expect(await refused('access-denied')).toContain('Access to KMS is not allowed')
  })

  test.each([
    ['InvalidSignatureException', 'Signature expired: 20261121T190000Z is now earlier than 20261121T193000Z'],
    [
      'InvalidSignatureException',
      'Signature not yet current: 20261121T200000Z is still later than 20261121T193500Z',
    ],
    ['RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.'],
  ])('a clock that is off (%s: %s) is clock-skew and shows both clocks', async (type, message) => {
    instance.endpoint.secret = refusal(type, message)
    expect(await refused('clock-skew')).toMatch(/clock here says .* AWS says \w+, \d+ \w+ \d{4}/)
  })

  test('a secret key that does not belong to the access key is no-credentials in the words of AWS', async () => {
    const detail = await refused('no-credentials', { environment: { AWS_SECRET_ACCESS_KEY: 'another/key' } })
    expect(detail).toContain('does not match')
    expect(detail).toContain('the environment')
  })

  test('an endpoint that refuses connections is endpoint-unreachable and is named', async () => {
    expect(await refused('endpoint-unreachable', { environment: { AWS_ENDPOINT_URL: CLOSED } })).toContain(
      CLOSED,
    )
  })

  test('an endpoint that keeps failing is asked three times, then endpoint-unreachable', async () => {
    const already = instance.endpoint.fetches
    instance.endpoint.secret = refusal('InternalServiceError', 'try again', 500)
    await refused('endpoint-unreachable')
    expect(instance.endpoint.fetches - already).toBe(3)
  })

  test('a missing secret is secret-missing and is named', async () => {
    const message = "Secrets Manager can't find the specified secret."
    instance.endpoint.secret = refusal('ResourceNotFoundException', message)
    expect(await refused('secret-missing')).toContain('ticketring/edge')
  })
})

describe('the value', () => {
  test('{} is no-ring', async () => {
    instance.endpoint.secret = '{}'
    await refused('no-ring')
  })

  test('a ring of another name is ring-mismatch and both are named', async () => {
    instance.endpoint.secret = serialiseRing({ ...advanced(ring), ring: 'inner' })
    expect(await refused('ring-mismatch')).toMatch(/edge.*inner/)
  })

  test('a generation behind the one asked for is generation-behind, after it was looked for again', async () => {
    const already = instance.endpoint.fetches
    expect(await refused('generation-behind', { environment: { SSM_Generation: '9' } })).toMatch(/9.*2/)
    expect(instance.endpoint.fetches - already).toBe(3)
  })
})

describe('settings and tools', () => {
  test.each([
    ['an unknown setting', 'COLOUR=blue', 'COLOUR'],
    ['a line without =', 'nonsense', '='],
    ['a value that a shell would expand', 'NGINX_TEST=nginx -t; rm $HOME', 'NGINX_TEST'],
    ['a ticket lifetime that is no number', 'TICKET_LIFETIME=2h', 'TICKET_LIFETIME'],
    ['a key size that no server has', 'HAPROXY_KEY_SIZE=64', '64'],
    ['a listener without a server name', 'HAPROXY_VERIFY=127.0.0.1:443', '127.0.0.1:443'],
    ['no listener to verify', 'HAPROXY_VERIFY=', 'listener'],
    ['a relative key file', 'HAPROXY_KEYS=haproxy.keys', 'absolute'],
    ['no key files', 'HAPROXY_KEYS=', 'HAPROXY_KEYS or NGINX_KEYS'],
    ['an unknown kind of server', 'SERVER=apache', 'apache'],
  ])("%s in the machine's file is config-invalid and is named", async (_, text, named) => {
    instance.writeConf(`# what differs on this machine\n\n${text}\n`)
    expect(await refused('config-invalid')).toContain(named)
  })

  test('a setting that is missing everywhere is config-invalid', async () => {
    instance.unset('SECRET')
    expect(await refused('config-invalid')).toContain('SECRET')
  })

  test('a missing tool is tool-missing and is named', async () => {
    const PATH = pathWithout(instance.terminator.directory, 'openssl')
    expect(await refused('tool-missing', { environment: { PATH } })).toContain('openssl')
  })
})

describe('where keys are kept', () => {
  test('a run directory that is no tmpfs is not-tmpfs, unless the owner allows it', async () => {
    const disk = mkdtempSync(join(tmpdir(), 'ticketring-test-'))
    instance.set(`RUN_DIR=${disk}`)
    expect(await refused('not-tmpfs')).toContain(disk)
    instance.set('ALLOW_DISK=yes')
    expect((await instance.run()).line.result).toBe('applied')
    rmSync(disk, { recursive: true })
  })

  test('a key file at the root, which is no tmpfs, is not-tmpfs, and the root is named', async () => {
    instance.set('HAPROXY_KEYS=/ticketring-test.keys')
    expect(await refused('not-tmpfs')).toContain('wanted / on a tmpfs')
    expect(existsSync('/ticketring-test.keys')).toBe(false)
  })

  test('a directory of key files that is no tmpfs is not-tmpfs', async () => {
    const disk = mkdtempSync(join(tmpdir(), 'ticketring-test-'))
    instance.set(`HAPROXY_KEYS=${disk}/haproxy.keys`)
    expect(await refused('not-tmpfs')).toContain(disk)
    rmSync(disk, { recursive: true })
  })

  test('an owner that does not exist is write-failed', async () => {
    instance.set('HAPROXY_OWNER=nobody-of-that-name')
    expect(await refused('write-failed')).toContain('nobody-of-that-name')
  })

  test('a state that cannot be read is ignored with a note', async () => {
    chmodSync(join(instance.runDirectory, 'state'), 0o600)
    writeFileSync(join(instance.runDirectory, 'state'), 'garbage')
    const { line, stderr } = await instance.run()
    expect(line).toMatchObject({ result: 'applied', generation: 2 })
    expect(stderr).toContain('unreadable')
  })
})
