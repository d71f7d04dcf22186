import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import type { LoopbackAws } from '../../../local/aws/loopback.ts'
import { joinMachine, machineId, removeFolders, startAccount } from './fixture.ts'

let aws: LoopbackAws
let now: number
beforeEach(async () => {
  now = Date.now()
  aws = await startAccount({ clock: () => now })
  joinMachine(aws, { id: machineId(1) })
  joinMachine(aws, { id: machineId(2) })
})
afterEach(() => aws.close())
afterAll(removeFolders)

const ask = (path: string, init: RequestInit = {}, id = machineId(1)) =>
  fetch(`${aws.endpoint}/imds/${id}${path}`, init)

async function token(ttl = '60'): Promise<string> {
  const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': ttl }
  return (await ask('/latest/api/token', { method: 'PUT', headers })).text()
}

async function read(path: string, session: string, id?: string): Promise<string> {
  const answer = await ask(
    `/latest/meta-data/${path}`,
    { headers: { 'x-aws-ec2-metadata-token': session } },
    id,
  )
  return answer.status === 200 ? answer.text() : String(answer.status)
}

test('nothing is told without a session token', async () => {
  expect((await ask('/latest/meta-data/instance-id')).status).toBe(401)
  expect(await read('instance-id', 'made-up')).toBe('401')
})

test('a token needs a time to live of 1 to 21600 seconds', async () => {
  expect((await ask('/latest/api/token', { method: 'PUT' })).status).toBe(400)
  const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': '21601' }
  expect((await ask('/latest/api/token', { method: 'PUT', headers })).status).toBe(400)
  expect((await ask('/latest/api/token', { headers })).status).toBe(405)
})

test('a token is refused to a request that came through a proxy', async () => {
  const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': '60', 'x-forwarded-for': '10.0.0.1' }
  expect((await ask('/latest/api/token', { method: 'PUT', headers })).status).toBe(403)
})

test('a token ends with its time to live and belongs to one machine', async () => {
  const session = await token()
  expect(await read('instance-id', session)).toBe(machineId(1))
  expect(await read('instance-id', session, machineId(2))).toBe('401')
  now += 61_000
  expect(await read('instance-id', session)).toBe('401')
})

test("a machine learns its Region and its role's credentials", async () => {
  const session = await token()
  expect(await read('placement/region', session)).toBe('us-east-1')
  expect(await read('iam/security-credentials/', session)).toBe('terminators')
  const credentials = JSON.parse(await read('iam/security-credentials/terminators', session))
  expect(credentials).toMatchObject({ Code: 'Success', Type: 'AWS-HMAC' })
  expect(credentials.AccessKeyId).toMatch(/^ASIA/)
  expect(new Date(credentials.Expiration).getTime()).toBeGreaterThan(now + 3_600_000)
  expect(await read('iam/security-credentials/other', session)).toBe('404')
})

test('credentials are the same until they are about to end', async () => {
  const key = async () =>
    JSON.parse(await read('iam/security-credentials/terminators', await token())).AccessKeyId
  const first = await key()
  now += 3_600_000
  expect(await key()).toBe(first)
  now += 4.9 * 3_600_000
  expect(await key()).not.toBe(first)
})
