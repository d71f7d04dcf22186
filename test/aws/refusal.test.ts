import http from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { DescribeSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterEach, describe, expect, it } from 'vitest'
import { refusal } from '../../lambda/aws/refusal.ts'
import type { TicketringError } from '../../lambda/kernel/errors.ts'

const closing: Server[] = []
const sockets = new Set<Socket>()
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  for (const server of closing.splice(0)) server.close()
})

/** A server on loopback that does this with each connection. */
async function serve(greet: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    greet(socket)
  })
  closing.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return (server.address() as AddressInfo).port
}

const answering =
  (status: string, type: string, message = 'no') =>
  (socket: Socket) =>
    socket.once('data', () => {
      const body = JSON.stringify({ __type: type, message })
      socket.end(
        `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      )
    })

/** What the real SDK's error becomes. */
async function outcome(endpoint: string, requestHandler: object = {}): Promise<TicketringError> {
  const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }
  const client = new SecretsManagerClient({
    endpoint,
    region: 'eu-west-1',
    credentials,
    maxAttempts: 1,
    requestHandler,
  })
  try {
    await client.send(new DescribeSecretCommand({ SecretId: 'ring' }))
  } catch (error) {
    return refusal(error, 'the secret ring') as TicketringError
  } finally {
    client.destroy()
  }
  throw new Error('it succeeded')
}

/** Resolves no name, without asking a name server. */
const nameless = new http.Agent({
  lookup: (host, _, done) =>
    done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' }), '', 4),
})

describe('why AWS was not reached', () => {
  it('is a name that does not resolve', async () => {
    expect(await outcome('http://secretsmanager.example', { httpAgent: nameless })).toMatchObject({
      code: 'aws-unresolved',
      came: expect.stringContaining('ENOTFOUND'),
      fix: expect.stringContaining('resolver'),
    })
  })

  it('is a port on which nothing listens', async () => {
    const port = await serve(() => {})
    await new Promise((done) => closing.pop()?.close(done))
    expect(await outcome(`http://127.0.0.1:${port}`)).toMatchObject({ code: 'aws-unreachable' })
  })

  it('is a connection that breaks', async () => {
    const port = await serve((socket) => socket.once('data', () => socket.resetAndDestroy()))
    expect(await outcome(`http://127.0.0.1:${port}`)).toMatchObject({ code: 'aws-reset' })
  })

  it('is an answer that does not come', async () => {
    const port = await serve(() => {})
    expect(await outcome(`http://127.0.0.1:${port}`, { socketTimeout: 50 })).toMatchObject({
      code: 'aws-timeout',
    })
  })

  it('is TLS: another protocol, and an alert', async () => {
    const plain = await serve((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    expect(await outcome(`https://127.0.0.1:${plain}`)).toMatchObject({ code: 'aws-tls' })
    const alert = await serve((socket) => socket.end(Buffer.from('15030300020228', 'hex')))
    expect(await outcome(`https://127.0.0.1:${alert}`)).toMatchObject({ code: 'aws-tls' })
  })
})

describe('what AWS answered', () => {
  it.each([
    ['400 Bad Request', 'AccessDeniedException', 'access-denied'],
    ['400 Bad Request', 'DecryptionFailure', 'access-denied'],
    ['400 Bad Request', 'ThrottlingException', 'throttled'],
    ['429 Too Many Requests', 'Whatever', 'throttled'],
    ['400 Bad Request', 'ExpiredTokenException', 'aws-credentials'],
    ['403 Forbidden', 'UnrecognizedClientException', 'aws-credentials'],
    ['500 Internal Server Error', 'InternalServiceError', 'aws-unavailable'],
    ['503 Service Unavailable', 'Whatever', 'aws-unavailable'],
    ['400 Bad Request', 'InvalidRequestException', 'aws-refused'],
    ['400 Bad Request', 'LimitExceededException', 'aws-refused'],
  ])('%s with %s is %s', async (status, type, code) => {
    const port = await serve(answering(status, type))
    expect(await outcome(`http://127.0.0.1:${port}`)).toMatchObject({ code, came: `${type}: no` })
  })

  it('is cut where it is long, and its remedy is not', async () => {
    const port = await serve(answering('400 Bad Request', 'ValidationException', 'x'.repeat(9000)))
    const { message, fix } = await outcome(`http://127.0.0.1:${port}`)
    expect(message.length).toBeLessThan(800)
    expect(message.endsWith(`…. ${fix}`)).toBe(true)
  })
})

it('a fault of ours stays what it is', () => {
  const fault = new RangeError('no end after 16 steps')
  expect(refusal(fault, 'anything')).toBe(fault)
})
