import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LoopbackAws } from '../../../local/aws/loopback.ts'
import { sessionOf, startAccount } from './fixture.ts'
import { DESCRIBE, type Signing, send, sign } from './signing.ts'

let aws: LoopbackAws
beforeAll(async () => {
  aws = await startAccount()
})
afterAll(() => aws.close())

async function refusal(
  bend: Partial<Signing>,
  tamper: (request: Awaited<ReturnType<typeof sign>>) => void = () => {},
) {
  const request = await sign(aws, DESCRIBE, { credentials: aws.operator, ...bend })
  tamper(request)
  const answer = await send(aws, request)
  return answer.status === 200
    ? { code: 'none', message: '' }
    : { code: answer.json().__type, message: answer.json().message }
}

test('a request that is signed as it is sent is served', async () => {
  expect(await refusal({})).toEqual({ code: 'none', message: '' })
})

test('a changed body does not match its signature', async () => {
  const { code, message } = await refusal({}, (request) => {
    request.body = '{"SecretId":"rings/else"}'
  })
  expect(code).toBe('InvalidSignatureException')
  expect(message).toContain('The request signature we calculated does not match')
})

test('a changed signed header does not match its signature', async () => {
  const { code } = await refusal({}, ({ headers }) => {
    headers['x-amz-target'] = 'secretsmanager.GetSecretValue'
  })
  expect(code).toBe('InvalidSignatureException')
})

test('another secret key does not match', async () => {
  const credentials = { ...aws.operator, secretAccessKey: 'wrong' }
  expect((await refusal({ credentials })).code).toBe('InvalidSignatureException')
})

test('an x-amz- header that is not signed is refused, as an old curl would leave it', async () => {
  const { code, message } = await refusal({ unsignableHeaders: new Set(['x-amz-target']) })
  expect(code).toBe('InvalidSignatureException')
  expect(message).toBe("'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.")
})

test('a signature older than five minutes has expired', async () => {
  const { code, message } = await refusal({ signingDate: new Date(Date.now() - 301_000) })
  expect(code).toBe('InvalidSignatureException')
  expect(message).toMatch(/^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z/)
})

test('a signature from more than five minutes ahead is not yet current', async () => {
  const { message } = await refusal({ signingDate: new Date(Date.now() + 310_000) })
  expect(message).toMatch(/^Signature not yet current/)
})

test('a signature of four minutes ago is served', async () => {
  expect((await refusal({ signingDate: new Date(Date.now() - 240_000) })).code).toBe('none')
})

test('an unknown access key is an invalid security token', async () => {
  const credentials = { ...aws.operator, accessKeyId: 'AKIAUNKNOWN' }
  expect(await refusal({ credentials })).toEqual({
    code: 'UnrecognizedClientException',
    message: 'The security token included in the request is invalid.',
  })
})

test('a session token that does not belong to the key is invalid', async () => {
  const credentials = { ...aws.operator, sessionToken: 'of-another-session' }
  expect((await refusal({ credentials })).code).toBe('UnrecognizedClientException')
})

test('a scope of another Region or service is refused', async () => {
  expect((await refusal({ region: 'eu-west-1' })).message).toContain('valid region')
  expect((await refusal({ service: 'ssm' })).message).toContain("correct service: 'secretsmanager'")
})

test('a request without a signature misses its token', async () => {
  const { code } = await refusal({}, ({ headers }) => {
    delete headers.authorization
  })
  expect(code).toBe('MissingAuthenticationTokenException')
})

test('a session ends when it says so', async () => {
  let now = Date.now()
  const later = await startAccount({ clock: () => now })
  try {
    const [fn] = later.resources.functions
    const { payload } = await later.invoke(fn?.name ?? '', { do: 'environment' })
    const credentials = sessionOf(payload)
    const ask = async () =>
      send(later, await sign(later, DESCRIBE, { credentials, signingDate: new Date(now) }))
    expect((await ask()).status).toBe(200)
    now += 7 * 3_600_000
    expect((await ask()).json().__type).toBe('ExpiredTokenException')
  } finally {
    await later.close()
  }
})

test('an operation that is not served is named', async () => {
  const call = { ...DESCRIBE, headers: { 'x-amz-target': 'secretsmanager.DeleteSecret' } }
  const answer = await send(aws, await sign(aws, call, { credentials: aws.operator }))
  expect(answer.json().__type).toBe('UnknownOperationException')
  expect(answer.json().message).toContain('secretsmanager.DeleteSecret')
})
