/** A loopback Secrets Manager and Parameter Store (what machines ask alone, SigV4 verified) and metadata service (IMDSv2). */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { Sha256 } from '@aws-crypto/sha256-js'
import { HttpRequest } from '@smithy/protocol-http'
import { SignatureV4 } from '@smithy/signature-v4'

export const CREDENTIALS = {
  accessKeyId: 'AKIATESTTICKETRING00',
  secretAccessKey: 'test/secret+access/key0123456789abcdefgh',
  sessionToken: 'IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJ+test/token==',
} as const
/** An environment that leaves a script to find credentials elsewhere. */
export const NO_CREDENTIALS = {
  AWS_ACCESS_KEY_ID: undefined,
  AWS_SECRET_ACCESS_KEY: undefined,
  AWS_SESSION_TOKEN: undefined,
}
const REGION = 'eu-central-1'
const METADATA_TOKEN = 'AQAEtesttoken=='
const ROLE = 'terminator'

export interface Answer {
  readonly status: number
  readonly body: string
}

export class Endpoint {
  /** What GetSecretValue answers with: a SecretString, or a whole answer such as an error. */
  secret: string | Answer = '{}'
  /** What GetParameters answers from, or a whole answer such as an error. */
  parameters: Map<string, string> | Answer = new Map()
  /** Called on every request for either, before it is answered: to hold a script at this point. */
  onFetch: () => void | Promise<void> = () => {}
  /** What the metadata service answers with in the place of what it has; `hang-up` ends the connection. */
  metadata: (path: string) => Answer | 'hang-up' | undefined = () => undefined
  readonly faults: string[] = []
  fetches = 0
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<Endpoint> {
    const server = createServer()
    const endpoint = new Endpoint(server)
    server.on('request', async (request: IncomingMessage, response) => {
      const answer = await endpoint.#answer(request)
      if (answer === 'hang-up') request.socket.destroy()
      else
        response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.1' }).end(answer.body)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return endpoint
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #answer(request: IncomingMessage): Promise<Answer | 'hang-up'> {
    const body = await read(request)
    if (request.url?.startsWith('/imds/latest/')) {
      const path = request.url.slice('/imds/latest/'.length)
      return this.metadata(path) ?? metadata(request, path)
    }
    if (request.method !== 'POST' || request.url !== '/') return { status: 404, body: 'no such thing' }
    this.fetches += 1
    await this.onFetch()
    const service = serviceOf(request)
    const fault = (await signatureFault(request, body, service)) ?? bodyFault(body, service)
    if (fault !== undefined) {
      this.faults.push(fault)
      return refusal('InvalidSignatureException', fault)
    }
    if (service === 'ssm') return parametersAnswer(this.parameters, body)
    return typeof this.secret === 'string' ? secretValue(this.secret) : this.secret
  }
}

type Service = 'secretsmanager' | 'ssm'

function serviceOf(request: IncomingMessage): Service {
  return request.headers['x-amz-target'] === 'AmazonSSM.GetParameters' ? 'ssm' : 'secretsmanager'
}

function parametersAnswer(parameters: Map<string, string> | Answer, body: string): Answer {
  if (!(parameters instanceof Map)) return parameters
  const { Names } = JSON.parse(body) as { Names: readonly string[] }
  const Parameters = Names.flatMap((Name) => {
    const Value = parameters.get(Name)
    return Value === undefined
      ? []
      : [{ ARN: `arn:aws:ssm:${REGION}:111122223333:parameter${Name}`, Name, Value }]
  }).map((each) => ({ ...each, DataType: 'text', LastModifiedDate: 1.795e9, Type: 'String', Version: 3 }))
  const InvalidParameters = Names.filter((name) => !parameters.has(name))
  return { status: 200, body: JSON.stringify({ InvalidParameters, Parameters }) }
}

/** An error as AWS sends one. */
export function refusal(type: string, message: string, status = 400): Answer {
  return { status, body: JSON.stringify({ __type: type, message }) }
}

function secretValue(text: string): Answer {
  const body = {
    ARN: `arn:aws:secretsmanager:${REGION}:111122223333:secret:ticketring/edge-AbCdEf`,
    CreatedDate: 1.795e9,
    Name: 'ticketring/edge',
    SecretString: text,
    VersionId: 'advance-0000000000000000000000000000',
    VersionStages: ['AWSCURRENT'],
  }
  return { status: 200, body: JSON.stringify(body) }
}

async function read(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}

function metadata(request: IncomingMessage, path: string): Answer {
  if (path === 'api/token') {
    const asked =
      request.method === 'PUT' && request.headers['x-aws-ec2-metadata-token-ttl-seconds'] !== undefined
    return asked ? { status: 200, body: METADATA_TOKEN } : { status: 400, body: '' }
  }
  if (request.headers['x-aws-ec2-metadata-token'] !== METADATA_TOKEN) return { status: 401, body: '' }
  switch (path) {
    case 'meta-data/placement/region':
      return { status: 200, body: REGION }
    case 'meta-data/iam/security-credentials/':
      return { status: 200, body: ROLE }
    case `meta-data/iam/security-credentials/${ROLE}`:
      return { status: 200, body: JSON.stringify(roleCredentials(), null, 2) }
    default:
      return { status: 404, body: '' }
  }
}

function roleCredentials(): Record<string, string> {
  return {
    Code: 'Success',
    LastUpdated: '2026-11-21T19:00:00Z',
    Type: 'AWS-HMAC',
    AccessKeyId: CREDENTIALS.accessKeyId,
    SecretAccessKey: CREDENTIALS.secretAccessKey,
    Token: CREDENTIALS.sessionToken,
    Expiration: '2026-11-22T01:00:00Z',
  }
}

/** Signs the request again as its sender should have, and compares. */
async function signatureFault(
  request: IncomingMessage,
  body: string,
  service: Service,
): Promise<string | undefined> {
  const given = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/.*, ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(
    request.headers.authorization ?? '',
  )
  if (given === null) return 'no SigV4 Authorization header'
  const names = (given[2] ?? '').split(';')
  const unsigned = Object.keys(request.headers).filter(
    (name) => name.startsWith('x-amz-') && !names.includes(name),
  )
  if (unsigned.length > 0) return `unsigned headers: ${unsigned.join(', ')}`
  if (request.headers['x-amz-security-token'] !== CREDENTIALS.sessionToken) return 'another session token'
  if (given[1] !== CREDENTIALS.accessKeyId) return 'another access key'
  const expected = await sign(request, names, body, service)
  return expected === given[3] ? undefined : 'The request signature we calculated does not match'
}

async function sign(
  request: IncomingMessage,
  names: readonly string[],
  body: string,
  service: Service,
): Promise<string | undefined> {
  const headers = Object.fromEntries(
    names.filter((name) => name !== 'x-amz-date').map((name) => [name, String(request.headers[name])]),
  )
  const [hostname, port] = (request.headers.host ?? '').split(':')
  const unsigned = new HttpRequest({
    method: 'POST',
    protocol: 'http:',
    hostname: hostname ?? '',
    port: Number(port),
    path: '/',
    headers,
    body,
  })
  const { sessionToken: _, ...credentials } = CREDENTIALS
  const signer = new SignatureV4({
    credentials,
    region: REGION,
    service,
    sha256: Sha256,
    applyChecksum: false,
  })
  const stamp = String(request.headers['x-amz-date'])
  const iso = stamp.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z')
  const signed = await signer.sign(unsigned, { signingDate: new Date(iso) })
  return /Signature=(\w+)/.exec(signed.headers.authorization ?? '')?.[1]
}

function bodyFault(body: string, service: Service): string | undefined {
  const { SecretId, VersionStage, Names } = JSON.parse(body) as Record<string, unknown>
  if (service === 'ssm') return Array.isArray(Names) && Names.length <= 10 ? undefined : 'more than ten names'
  if (SecretId !== 'ticketring/edge') return 'another secret'
  return VersionStage === 'AWSCURRENT' ? undefined : 'no VersionStage: the policy would refuse this'
}
