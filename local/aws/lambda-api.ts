import { AwsError } from './aws-error.ts'
import type { Caller } from './caller.ts'
import type { Functions } from './functions.ts'

const PATH = /^\/2015-03-31\/functions\/([^/?]+)\/invocations(?:\?.*)?$/
const TAIL = 4096

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The function that a path of Lambda's REST API invokes; undefined for any other path. */
export function invokedFunction(method: string, url: string): string | undefined {
  const name = method === 'POST' ? PATH.exec(url)?.[1] : undefined
  return name === undefined ? undefined : decodeURIComponent(name)
}

/** Invoke: `RequestResponse`, `Event` or `DryRun`. @throws AwsError as Lambda would refuse. */
export async function invokeFunction(
  functions: Functions,
  id: string,
  request: { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer },
  caller: Caller,
): Promise<HttpAnswer> {
  const deployment = functions.find(id)
  await caller.need('lambda:InvokeFunction', deployment.arn)
  const event = parseEvent(request.body)
  const type = request.headers['x-amz-invocation-type'] ?? 'RequestResponse'
  if (type === 'DryRun') return { status: 204, headers: {}, body: '' }
  if (type === 'Event') {
    functions.queue(deployment, event)
    return { status: 202, headers: {}, body: '' }
  }
  const { payload, functionError, logs } = await functions.invoke(
    deployment,
    event,
    parseClientContext(request.headers['x-amz-client-context']),
  )
  const tail = request.headers['x-amz-log-type'] === 'Tail'
  const headers = {
    'content-type': 'application/json',
    'x-amz-executed-version': '$LATEST',
    ...(functionError === undefined ? {} : { 'x-amz-function-error': functionError }),
    ...(tail ? { 'x-amz-log-result': Buffer.from(logs).subarray(-TAIL).toString('base64') } : {}),
  }
  return { status: 200, headers, body: JSON.stringify(payload) }
}

/** ClientContext: JSON in base64. Source: Lambda API reference, Invoke. */
function parseClientContext(header: string | undefined): unknown {
  if (header === undefined) return undefined
  try {
    return JSON.parse(Buffer.from(header, 'base64').toString('utf8'))
  } catch {
    throw new AwsError(
      'InvalidRequestContentException',
      'Client context must be a valid Base64-encoded JSON object.',
    )
  }
}

function parseEvent(body: Buffer): unknown {
  if (body.length === 0) return {}
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new AwsError('InvalidRequestContentException', 'Could not parse request body into json')
  }
}
