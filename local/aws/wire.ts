import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { Account } from './account.ts'
import { uuid } from './account.ts'
import { AwsError, codeOf, LoopbackError } from './aws-error.ts'
import type { CallBook, Operation } from './caller.ts'
import type { CredentialStore } from './credentials.ts'
import { DroppedConnection, type FaultPlan, strike } from './faults.ts'
import type { Functions } from './functions.ts'
import { type HttpAnswer, invokedFunction, invokeFunction } from './lambda-api.ts'
import type { Metadata } from './metadata.ts'
import {
  findQuery,
  isQuery,
  parseQuery,
  type QueryOperations,
  queryAnswer,
  queryRefusal,
} from './query-api.ts'
import { isKnownError, misfits } from './sdk-schema.ts'
import { verifySignature, type WireRequest } from './signature.ts'

/** A service of the JSON 1.1 protocol: told by the prefix of X-Amz-Target. */
interface JsonService {
  readonly name: string
  readonly target: string
  readonly operations: Readonly<Record<string, Operation>>
}

interface WireParts {
  readonly account: Account
  readonly credentials: CredentialStore
  readonly calls: CallBook
  readonly faults: FaultPlan
  readonly services: readonly JsonService[]
  readonly queries: QueryOperations
  readonly functions: Functions
  readonly metadata: Metadata
  readonly log: (line: string) => void
}

/** What a request asks for, before it was checked who asks. */
interface Route {
  readonly service: string
  readonly operation: string
  readonly run: (caller: Parameters<Operation>[1]) => Promise<HttpAnswer>
}

/** The HTTP server in front of everything. */
export class Wire {
  readonly #parts: WireParts
  readonly #server: Server

  constructor(parts: WireParts) {
    this.#parts = parts
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  /** Resolves with the endpoint's URL. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(0, '127.0.0.1', resolve)
    })
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const request = await readRequest(incoming)
      const { method, url, headers } = request
      const answer = this.#parts.metadata.answer(method, url, headers) ?? (await this.#api(request))
      const requestId = { 'x-amzn-requestid': uuid(this.#parts.account) }
      response.writeHead(answer.status, { ...answer.headers, ...requestId }).end(answer.body)
    } catch (error) {
      if (!(error instanceof DroppedConnection)) this.#parts.log(`loopback: ${String(error)}`)
      incoming.socket.destroy()
    }
  }

  async #api(request: WireRequest): Promise<HttpAnswer> {
    try {
      return await this.#handle(request)
    } catch (error) {
      if (error instanceof DroppedConnection) throw error
      if (!(error instanceof AwsError))
        this.#parts.log(`loopback: ${(error as Error).stack ?? String(error)}`)
      return isQuery(request) ? queryRefusal(error, this.#parts.account) : refusal(error)
    }
  }

  async #handle(request: WireRequest): Promise<HttpAnswer> {
    const { credentials, account, calls, faults } = this.#parts
    const { service, operation, run } = this.#route(request)
    const { principal } = await verifySignature(request, service, credentials, account)
    const { call, caller } = calls.open(service, operation, principal)
    try {
      faults.admit(operation)
      const fault = faults.pick(operation, principal)
      if (fault?.when === 'before') strike(fault, principal)
      const answer = await run(caller)
      if (fault?.when === 'after') strike(fault, principal)
      return answer
    } catch (error) {
      if (error instanceof AwsError && !isKnownError(service, error.code))
        insistOnSchema(`${service} ${operation}`, [`no error ${error.code}`])
      call.error = error instanceof DroppedConnection ? 'DroppedConnection' : codeOf(error)
      throw error
    }
  }

  /** @throws AwsError `UnknownOperationException`. */
  #route(request: WireRequest): Route {
    const functionId = invokedFunction(request.method, request.url)
    if (functionId !== undefined) {
      const run: Route['run'] = (caller) => invokeFunction(this.#parts.functions, functionId, request, caller)
      return { service: 'lambda', operation: 'Invoke', run }
    }
    if (isQuery(request)) return this.#routeQuery(request)
    const [target, name = ''] = (request.headers['x-amz-target'] ?? '').split('.')
    const service = this.#parts.services.find((one) => one.target === target)
    const operation = service?.operations[name]
    if (!service || !operation) {
      const asked = request.headers['x-amz-target'] ?? `${request.method} ${request.url}`
      throw new AwsError('UnknownOperationException', `${asked} is not served by the loopback AWS.`, 404)
    }
    const run: Route['run'] = async (caller) => {
      const input = parseBody(request.body)
      const faults = misfits(service.name, name, 'request', input)
      if (faults.length > 0) throw new AwsError('ValidationException', faults.join('; '))
      const body = JSON.stringify(await operation(input, caller))
      insistOnSchema(`${service.name} ${name}`, misfits(service.name, name, 'answer', JSON.parse(body)))
      return { status: 200, headers: { 'content-type': 'application/x-amz-json-1.1' }, body }
    }
    return { service: service.name, operation: name, run }
  }

  /** @throws AwsError `InvalidAction`. */
  #routeQuery(request: WireRequest): Route {
    const { queries, account } = this.#parts
    const { action, version, input } = parseQuery(request)
    const operation = findQuery(queries, action, version)
    const run: Route['run'] = async (caller) =>
      queryAnswer(action, operation, await operation.run(input, caller), account)
    return { service: operation.service, operation: action, run }
  }
}

/** @throws LoopbackError where this side of the wire would say what AWS's never does. */
function insistOnSchema(operation: string, faults: readonly string[]): void {
  if (faults.length > 0) throw new LoopbackError(`${operation}: ${faults.join('; ')}`)
}

async function readRequest(incoming: IncomingMessage): Promise<WireRequest> {
  const headers = Object.entries(incoming.headers).map(
    ([name, value]) => [name, [value ?? []].flat().join(',')] as const,
  )
  return {
    method: incoming.method ?? '',
    url: incoming.url ?? '',
    headers: Object.fromEntries(headers),
    body: await buffer(incoming),
  }
}

function parseBody(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8') || '{}')
  } catch {
    throw new AwsError('SerializationException', 'The body is not JSON.')
  }
}

/** Both spellings of the message: services differ, and clients read either. */
function refusal(error: unknown): HttpAnswer {
  const code = codeOf(error)
  const message = error instanceof AwsError ? error.message : 'An error occurred on the server side.'
  return {
    status: error instanceof AwsError ? error.status : 500,
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-errortype': code },
    body: JSON.stringify({ __type: code, message, Message: message }),
  }
}
