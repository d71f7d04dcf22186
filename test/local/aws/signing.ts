import { Sha256 } from '@aws-crypto/sha256-js'
import { HttpRequest } from '@smithy/protocol-http'
import { SignatureV4 } from '@smithy/signature-v4'
import type { LoopbackAws } from '../../../local/aws/loopback.ts'

export interface Call {
  readonly service: string
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

export interface Signing {
  readonly credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }
  readonly signingDate?: Date
  readonly unsignableHeaders?: Set<string>
  readonly region?: string
  readonly service?: string
}

/** A signed request that a test may bend before it sends it. */
export async function sign(aws: LoopbackAws, call: Call, signing: Signing): Promise<HttpRequest> {
  const { hostname, port, host } = new URL(aws.endpoint)
  const { credentials, region = aws.region, service = call.service } = signing
  const signer = new SignatureV4({ credentials, region, service, sha256: Sha256, applyChecksum: false })
  const request = new HttpRequest({
    method: call.method ?? 'POST',
    protocol: 'http:',
    hostname,
    port: Number(port),
    path: call.path ?? '/',
    headers: { host, ...call.headers },
    body: call.body ?? '{}',
  })
  const { signingDate, unsignableHeaders } = signing
  const options = { ...(signingDate && { signingDate }), ...(unsignableHeaders && { unsignableHeaders }) }
  return (await signer.sign(request, options)) as HttpRequest
}

export async function send(aws: LoopbackAws, { method, path, headers, body }: HttpRequest) {
  const response = await fetch(`${aws.endpoint}${path}`, {
    method,
    headers,
    ...(method === 'GET' ? {} : { body: body as string }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) }
}

/** DescribeSecret, the simplest call there is. */
export const DESCRIBE: Call = {
  service: 'secretsmanager',
  headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'secretsmanager.DescribeSecret' },
  body: '{"SecretId":"rings/edge"}',
}
