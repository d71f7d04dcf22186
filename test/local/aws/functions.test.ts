import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { LoopbackAws } from '../../../local/aws/loopback.ts'
import { sendSigned } from '../../../local/signed-request.ts'
import { insistOnLoopback } from '../../loopback-only.mjs'
import { ASSEMBLY, clients, startAccount } from './fixture.ts'
import { send, sign } from './signing.ts'

let aws: LoopbackAws
beforeAll(async () => {
  aws = await startAccount()
})
beforeEach(() => aws.faults.clear())
afterAll(() => aws.close())

function probe() {
  const found = aws.resources.functions.find(({ logicalId }) => logicalId === 'Probe')
  if (!found) throw new Error('no probe')
  return found
}

function invoke(event: object) {
  return aws.invoke(probe().name, event)
}

async function post(headers: Record<string, string>, event: unknown, name = probe().name) {
  const path = `/2015-03-31/functions/${encodeURIComponent(name)}/invocations`
  const call = { service: 'lambda', path, headers, body: JSON.stringify(event) }
  return send(aws, await sign(aws, call, { credentials: aws.operator }))
}

test("a function has the template's variables and Lambda's own, and nothing of this process", async () => {
  process.env.LEAK = 'leaked'
  const { payload } = await aws.invoke(probe().name, { do: 'environment' })
  delete process.env.LEAK
  const variables = payload as Record<string, string>
  expect(Object.keys(variables).toSorted()).toEqual(
    [
      'GREETING',
      'AWS_ACCESS_KEY_ID',
      'AWS_DEFAULT_REGION',
      'AWS_ENDPOINT_URL',
      'AWS_EXECUTION_ENV',
      'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
      'AWS_LAMBDA_FUNCTION_NAME',
      'AWS_LAMBDA_FUNCTION_VERSION',
      'AWS_LAMBDA_LOG_GROUP_NAME',
      'AWS_REGION',
      'AWS_SECRET_ACCESS_KEY',
      'AWS_SESSION_TOKEN',
      'HOME',
      'LAMBDA_TASK_ROOT',
      'LANG',
      'PATH',
      'TZ',
      '_HANDLER',
    ].toSorted(),
  )
  expect(variables).toMatchObject({
    GREETING: 'hello',
    AWS_ENDPOINT_URL: aws.endpoint,
    AWS_REGION: aws.region,
  })
})

test('a function of a test is kept on loopback as the test is', async () => {
  // Kept for documentation (RFC 5737): nothing answers there even where the guard is broken.
  expect((await invoke({ do: 'connect', host: '192.0.2.1' })).payload).toBe('EACCES')
  expect(insistOnLoopback).toThrow(/: process \d+: Error: connect 192\.0\.2\.1\n/)
})

test('only durations of an environment may be overridden, where that is declared', async () => {
  const short = await startAccount({
    timing: { environment: (variables) => ({ ...variables, GREETING: 'hi' }) },
  })
  try {
    const [fn] = short.resources.functions
    expect(fn?.environment).toEqual({ GREETING: 'hi' })
    expect((await short.invoke(fn?.name ?? '', { do: 'environment' })).payload).toMatchObject({
      GREETING: 'hi',
    })
  } finally {
    await short.close()
  }
})

test('the context tells request, function and remaining time', async () => {
  const { payload } = await invoke({ do: 'context' })
  const context = payload as Record<string, unknown>
  expect(context.awsRequestId).toMatch(/^[0-9a-f-]{36}$/)
  expect(context.invokedFunctionArn).toBe(probe().arn)
  expect(context.remaining).toBeGreaterThan(0)
  expect(context.remaining).toBeLessThanOrEqual(2000)
})

test('the context has the client context of a synchronous call by the SDK, and refuses what is no JSON', async () => {
  const lambda = (header: string) =>
    sendSigned(
      { endpoint: aws.endpoint, region: aws.region, ...aws.operator },
      {
        service: 'lambda',
        path: `/2015-03-31/functions/${probe().name}/invocations`,
        headers: { 'content-type': 'application/json', 'x-amz-client-context': header },
        body: '{"do":"context"}',
      },
    )
  const sent = { custom: { caller: 'alice' } }
  const answer = await lambda(Buffer.from(JSON.stringify(sent)).toString('base64'))
  expect(await answer.json()).toMatchObject({ clientContext: sent })
  expect((await lambda('%%%')).status).toBe(400)
})

test('a warm process takes one event after the other, concurrent events take another process', async () => {
  const first = (await invoke({ do: 'sleep', milliseconds: 0 })).payload
  expect((await invoke({ do: 'sleep', milliseconds: 0 })).payload).toBe(first)
  const both = await Promise.all([1, 2].map(() => invoke({ do: 'sleep', milliseconds: 100 })))
  expect(new Set(both.map(({ payload }) => payload)).size).toBe(2)
})

test("what a function prints is its log, and the invocation's", async () => {
  const { logs, payload } = await invoke({ do: 'print', text: 'a line' })
  expect(payload).toBe('a line')
  expect(logs).toContain('a line\n')
  expect(logs).toContain('A LINE\n')
  expect(aws.history.logs).toContainEqual(expect.objectContaining({ stream: 'stdout', text: 'a line\n' }))
})

test('a thrown error is a function error with its type, message and trace', async () => {
  const { functionError, payload } = await invoke({ do: 'throw', message: 'no' })
  expect(functionError).toBe('Unhandled')
  expect(payload).toMatchObject({ errorType: 'RangeError', errorMessage: 'no' })
})

test('a process that exits fails its event, and the next one gets another process', async () => {
  const { pid } = (await invoke({ do: 'context' })).payload as { pid: number }
  const { payload } = await invoke({ do: 'exit', code: 7 })
  const errorMessage = expect.stringContaining('exit status 7')
  expect(payload).toMatchObject({ errorType: 'Runtime.ExitError', errorMessage })
  const after = (await invoke({ do: 'context' })).payload as { pid: number }
  expect(after.pid).not.toBe(pid)
})

test('a function that runs past its time-out is killed', async () => {
  const { payload: before } = await invoke({ do: 'context' })
  const { payload } = await invoke({ do: 'sleep', milliseconds: 5000 })
  expect(payload).toMatchObject({
    errorType: 'Sandbox.Timedout',
    errorMessage: expect.stringMatching(/^RequestId: \S+ Error: Task timed out after 2\.00 seconds$/),
  })
  const { pid } = before as { pid: number }
  await expect.poll(() => running(pid)).toBe(false)
})

function running(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z')
  } catch {
    return false
  }
}

test("a function calls AWS with its role's session", async () => {
  const before = aws.apiCalls(probe().name)
  const { payload } = await invoke({
    do: 'read',
    input: { SecretId: 'rings/edge', VersionStage: 'AWSCURRENT' },
  })
  expect(payload).toBe('{}')
  expect(aws.apiCalls(probe().name).GetSecretValue).toBe((before.GetSecretValue ?? 0) + 1)
  expect(aws.history.calls.at(-1)?.principal).toBe(
    `arn:aws:sts::111122223333:assumed-role/rotator/${probe().name}`,
  )
})

const READ = { do: 'read', input: { SecretId: 'rings/edge', VersionStage: 'AWSCURRENT' } }

test('a throttled call says so, and a later one succeeds', async () => {
  aws.faults.add({ principal: probe().name, operation: 'GetSecretValue', when: 'before', effect: 'throttle' })
  expect((await invoke(READ)).payload).toMatchObject({ errorType: 'ThrottlingException' })
  expect((await invoke(READ)).payload).toBe('{}')
})

test("the SDK's own retries get over a fault that passes", async () => {
  aws.faults.add({ operation: 'GetSecretValue', when: 'before', effect: 'fail', times: 2 })
  expect((await invoke({ ...READ, attempts: 3 })).payload).toBe('{}')
})

test('a fault hits the call it names and no other', async () => {
  aws.faults.add({ operation: 'GetSecretValue', call: 2, when: 'before', effect: 'throttle' })
  expect((await invoke(READ)).functionError).toBeUndefined()
  expect((await invoke(READ)).functionError).toBe('Unhandled')
  expect((await invoke(READ)).functionError).toBeUndefined()
})

test('an answer that is dropped after the call took effect fails the caller only', async () => {
  aws.faults.add({ operation: 'GetSecretValue', when: 'after', effect: 'drop' })
  expect((await invoke(READ)).functionError).toBe('Unhandled')
  expect(aws.history.calls.at(-1)).toMatchObject({ operation: 'GetSecretValue', error: 'DroppedConnection' })
  expect((await clients(aws).secrets.send(new GetSecretValueCommand(READ.input))).SecretString).toBe('{}')
})

test.each(['before', 'after'] as const)('a function can be killed %s a call of its own', async (when) => {
  aws.faults.add({ principal: 'rotator', operation: 'GetSecretValue', when, effect: 'kill' })
  expect((await invoke(READ)).payload).toMatchObject({
    errorType: 'Runtime.ExitError',
    errorMessage: expect.stringContaining('signal: killed'),
  })
})

test("Invoke over the wire answers with payload, executed version and the log's tail", async () => {
  const answer = await post({ 'x-amz-log-type': 'Tail' }, { do: 'print', text: 'seen' })
  expect(answer.status).toBe(200)
  expect(answer.json()).toBe('seen')
  expect(answer.headers.get('x-amz-executed-version')).toBe('$LATEST')
  expect(Buffer.from(answer.headers.get('x-amz-log-result') ?? '', 'base64').toString()).toContain('seen\n')
})

test('Invoke marks a failed function in its headers, and takes an ARN as well as a name', async () => {
  const answer = await post({}, { do: 'throw', message: 'no' }, probe().arn)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('x-amz-function-error')).toBe('Unhandled')
})

test('an asynchronous Invoke is queued; what fails for good is kept', async () => {
  expect((await post({ 'x-amz-invocation-type': 'Event' }, { do: 'throw', message: 'no' })).status).toBe(202)
  await aws.idle()
  expect(aws.history.failedEvents).toContainEqual(
    expect.objectContaining({ source: probe().name, event: { do: 'throw', message: 'no' } }),
  )
})

test('an unknown function is not found', async () => {
  const answer = await post({}, {}, 'none')
  expect(answer.status).toBe(404)
  expect(answer.headers.get('x-amzn-errortype')).toBe('ResourceNotFoundException')
})

test('a wrapper stands in front of the function and dies with it', async () => {
  const wrapped = await startAccount({ wrapFunction: (argv) => ['/usr/bin/env', 'WRAPPED=yes', ...argv] })
  const name = wrapped.resources.functions[0]?.name ?? ''
  const { payload } = await wrapped.invoke(name, { do: 'environment' })
  expect(payload).toMatchObject({ WRAPPED: 'yes' })
  const { pid } = (await wrapped.invoke(name, { do: 'context' })).payload as { pid: number }
  await wrapped.close()
  await expect.poll(() => running(pid)).toBe(false)
})

test("functions run from the assembly's assets", async () => {
  const variables = (await invoke({ do: 'environment' })).payload as Record<string, string>
  expect(variables.LAMBDA_TASK_ROOT).toBe(`${ASSEMBLY}/asset.probe`)
  expect(execFileSync('ls', [variables.LAMBDA_TASK_ROOT ?? ''], { encoding: 'utf8' })).toContain('index.mjs')
})

test('after a change of durations new events go to new processes, and a busy one ends its event first', async () => {
  let greeting = 'hi'
  const environment = () => ({ GREETING: greeting })
  const timed = await startAccount({ timing: { environment } })
  try {
    const name = timed.resources.functions[0]?.name ?? ''
    const busy = timed.invoke(name, { do: 'sleep', milliseconds: 300 })
    await expect.poll(() => timed.history.logs.map(({ text }) => text)).toContain('asleep\n')
    greeting = 'bye'
    timed.retime()
    expect((await timed.invoke(name, { do: 'environment' })).payload).toMatchObject({ GREETING: 'bye' })
    const { payload: pid, functionError } = await busy
    expect(functionError).toBeUndefined()
    await expect.poll(() => running(Number(pid))).toBe(false)
  } finally {
    await timed.close()
  }
})
