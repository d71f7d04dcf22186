import { Sha256 } from '@aws-crypto/sha256-js'
import { HttpRequest } from '@smithy/protocol-http'
import { SignatureV4 } from '@smithy/signature-v4'

/** Where a loopback AWS is, and a key to it. */
interface Access {
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** A POST to one service. */
export interface Call {
  readonly service: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * Sends a request signed as any AWS client does (Signature Version 4).
 * @throws TypeError where nothing answers.
 */
export async function sendSigned(access: Access, { service, path, headers, body }: Call): Promise<Response> {
  const url = new URL(path, access.endpoint)
  const request = new HttpRequest({
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    port: Number(url.port),
    path: url.pathname,
    headers: { host: url.host, ...headers },
    body,
  })
  const { accessKeyId, secretAccessKey, region } = access
  const credentials = { accessKeyId, secretAccessKey }
  const signed = await new SignatureV4({ credentials, region, service, sha256: Sha256 }).sign(request)
  return fetch(url, { method: 'POST', headers: signed.headers, body })
}
