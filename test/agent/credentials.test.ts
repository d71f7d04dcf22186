/** In whose name a machine asks AWS, and where. */
import { spawnSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CREDENTIALS, NO_CREDENTIALS } from './endpoint.ts'
import type { Instance } from './instance.ts'
import { refused, startOneBehind } from './machine.ts'
import { AGENT } from './program.ts'

const CLOSED = 'http://127.0.0.1:1'
const INSTANCE = { AWS_SSM_INSTANCE_ID: 'i-0123456789abcdef0' }
const HYBRID = { AWS_SSM_INSTANCE_ID: 'mi-0123456789abcdef0' }

let machine: Instance
let door: Server | undefined
beforeEach(async () => {
  ;[machine] = await startOneBehind('haproxy')
})
afterEach(async () => {
  door?.close()
  door = undefined
  await machine.stop()
})

/** The agent's shared file, of this access key. */
function sharedFile(accessKeyId: string, profile = 'default'): Record<string, string> {
  const file = join(machine.terminator.directory, 'shared')
  const lines = [
    '[another]',
    'aws_access_key_id = AKIAANOTHER',
    `[${profile}]`,
    `aws_access_key_id = ${accessKeyId}`,
    `aws_secret_access_key = ${CREDENTIALS.secretAccessKey}`,
    `aws_session_token = ${CREDENTIALS.sessionToken}`,
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  chmodSync(file, 0o600)
  return { AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: profile }
}

const applies = async (environment: Record<string, string | undefined>) =>
  expect((await machine.run({ environment: { ...NO_CREDENTIALS, ...environment } })).line).toMatchObject({
    result: 'applied',
    generation: 2,
  })

describe('on EC2', () => {
  test("the instance's own role goes before the shared file that the agent names there too", async () => {
    await applies({ ...INSTANCE, ...sharedFile('AKIAOFANOTHERROLE000') })
    expect(machine.endpoint.faults).toEqual([])
  })

  test.each([
    ['names no role', 404, '', undefined],
    ['is switched off', 403, '', undefined],
    ['is not there', 0, '', CLOSED],
  ])('a metadata service that %s leaves the shared file', async (_, status, body, where) => {
    machine.endpoint.metadata = (path) =>
      path === 'meta-data/iam/security-credentials/' && status > 0 ? { status, body } : undefined
    const elsewhere = where === undefined ? {} : { AWS_EC2_METADATA_SERVICE_ENDPOINT: where }
    await applies({ ...INSTANCE, ...elsewhere, ...sharedFile(CREDENTIALS.accessKeyId, 'agent') })
  })

  test.each([
    ['fails', { status: 500, body: '' }],
    ['gives no credentials for its role', { status: 200, body: '{"Code":"AssumeRoleUnauthorizedAccess"}' }],
  ])('a metadata service that %s does not: the shared file is of another role', async (what, answer) => {
    machine.endpoint.metadata = (path) =>
      path.startsWith('meta-data/iam/') && (what === 'fails' || path.endsWith('terminator'))
        ? answer
        : undefined
    const environment = { ...NO_CREDENTIALS, ...INSTANCE, ...sharedFile('AKIAOFANOTHERROLE000') }
    expect(await refused(machine, 'no-credentials', { environment })).toMatch(
      /500|AssumeRoleUnauthorizedAccess/,
    )
    expect(machine.endpoint.faults).toEqual([])
  })

  test.each([
    ['a page in HTML', '<html>\u00e4</html>'],
    ['nothing', ''],
    ['bytes', '\u0000\u0001'],
  ])('metadata that are %s are no-credentials, and said to be unreadable', async (_, body) => {
    machine.endpoint.metadata = (path) => (path === 'api/token' ? { status: 200, body } : undefined)
    const detail = await refused(machine, 'no-credentials', {
      environment: { ...NO_CREDENTIALS, ...INSTANCE },
    })
    expect(detail).toContain('answers api/token with 200 and no text')
  })
})

test('on a hybrid machine the shared file goes before the metadata of the host', async () => {
  machine.endpoint.metadata = () => ({ status: 500, body: '' })
  await applies({ ...HYBRID, ...sharedFile(CREDENTIALS.accessKeyId) })
})

test('a boot of a hybrid machine, to which no agent tells anything, goes by the Region that a delivery left', async () => {
  machine.set('REGION=eu-central-1')
  const alone = { ...NO_CREDENTIALS, AWS_REGION: undefined, AWS_EC2_METADATA_SERVICE_ENDPOINT: CLOSED }
  const { AWS_SHARED_CREDENTIALS_FILE } = sharedFile(CREDENTIALS.accessKeyId)
  const environment = { ...alone, AWS_SHARED_CREDENTIALS_FILE }
  const { line } = await machine.run({ arguments: ['--boot', 'edge'], environment })
  expect(line).toMatchObject({ result: 'applied', generation: 2 })
})

test('the metadata service is asked at its IPv6 address where that is named', async () => {
  const { port } = new URL(machine.endpoint.url)
  door = createServer((client) => {
    const behind = connect(Number(port), '127.0.0.1')
    client.pipe(behind).pipe(client)
  })
  const open = door
  await new Promise<void>((resolve) => open.listen(0, '::1', resolve))
  const at = `http://[::1]:${(open.address() as { port: number }).port}/imds`
  await applies({ AWS_EC2_METADATA_SERVICE_ENDPOINT: at })
})

test('without an endpoint of its own, the mode tells the address of the metadata service', () => {
  const program = `
import sys
sys.path.insert(0, sys.argv[1])
from ticketring.aws import Metadata
from ticketring.clock import Deadline
for mode in ("IPv6", "IPv4"):
    print(Metadata({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": mode}, Deadline(0))._base)
`
  const { stdout } = spawnSync('python3', ['-I', '-B', '-c', program, AGENT], { encoding: 'utf8' })
  expect(stdout).toBe('http://[fd00:ec2::254]\nhttp://169.254.169.254\n')
})

test('an endpoint of the settings goes before those of the environment', async () => {
  machine.set(`ENDPOINT_SECRETSMANAGER=${machine.endpoint.url}`)
  await applies({ AWS_ENDPOINT_URL: CLOSED, AWS_ENDPOINT_URL_SECRETS_MANAGER: CLOSED, ...sharedFile('x') })
})

test.each([
  ['a new line', 'AKIA\nTEST'],
  ['a space', 'AKIA TEST'],
  ['letters that no header takes', 'AKIA\u00e4'],
])('a key with %s is no-credentials, and is not repeated', async (_, key) => {
  const detail = await refused(machine, 'no-credentials', { environment: { AWS_ACCESS_KEY_ID: key } })
  expect(detail).toContain('the environment')
  expect(detail).not.toContain('AKIA')
})
