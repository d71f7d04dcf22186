import { timingSafeEqual } from 'node:crypto'
import { Sha256 } from '@aws-crypto/sha256-js'
import { HttpRequest } from '@smithy/protocol-http'
import { SignatureV4 } from '@smithy/signature-v4'
import type { Account } from './account.ts'
import { AwsError } from './aws-error.ts'
import type { CredentialStore, Credentials, Session } from './credentials.ts'

/** A request as it came over the wire; header names in lower case. */
export interface WireRequest {
  readonly method: string
  /** Path and query, as sent. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

interface Authorization {
  readonly accessKeyId: string
  readonly date: string
  readonly region: string
  readonly service: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
}

const TOLERANCE = 5 * 60_000
const FORM =
  /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{8})\/([^/,\s]+)\/([^/,\s]+)\/aws4_request,\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/

/**
 * Checks a request's Signature Version 4 by signing it again with the secret key on file.
 * @throws AwsError with the code AWS gives for each way to be wrong.
 */
export async function verifySignature(
  request: WireRequest,
  service: string,
  store: CredentialStore,
  account: Account,
): Promise<Session> {
  const authorization = parseAuthorization(request)
  const signedAt = checkDate(request, authorization, account.now())
  checkScope(authorization, service, account.region)
  checkSignedHeaders(request, authorization)
  const session = store.find(authorization.accessKeyId)
  if (!session || request.headers['x-amz-security-token'] !== session.credentials.sessionToken) {
    throw new AwsError(
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
    )
  }
  const expected = await sign(request, authorization, session.credentials, signedAt)
  if (!timingSafeEqual(Buffer.from(expected), Buffer.from(authorization.signature))) {
    throw new AwsError(
      'InvalidSignatureException',
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    )
  }
  if (account.now() > session.credentials.expiresAt) {
    throw new AwsError('ExpiredTokenException', 'The security token included in the request is expired')
  }
  return session
}

function parseAuthorization({ headers }: WireRequest): Authorization {
  const header = headers.authorization
  if (header === undefined) {
    throw new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token')
  }
  const [, accessKeyId, date, region, service, signedHeaders, signature] = FORM.exec(header) ?? []
  if (!accessKeyId || !date || !region || !service || !signedHeaders || !signature) {
    throw new AwsError(
      'IncompleteSignatureException',
      "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' of the algorithm AWS4-HMAC-SHA256.",
    )
  }
  return { accessKeyId, date, region, service, signedHeaders: signedHeaders.split(';'), signature }
}

function checkDate({ headers }: WireRequest, { date }: Authorization, now: number): Date {
  const stamp = headers['x-amz-date'] ?? ''
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp)
  if (!parts) {
    throw new AwsError(
      'IncompleteSignatureException',
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    )
  }
  const signedAt = new Date(
    stamp.replace(parts[0], `${parts.slice(1, 4).join('-')}T${parts.slice(4).join(':')}Z`),
  )
  if (!stamp.startsWith(date)) {
    throw new AwsError(
      'InvalidSignatureException',
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != '${stamp.slice(0, 8)}', from '${stamp}'.`,
    )
  }
  if (signedAt.getTime() < now - TOLERANCE) {
    throw new AwsError(
      'InvalidSignatureException',
      `Signature expired: ${stamp} is now earlier than ${compact(now - TOLERANCE)} (${compact(now)} - 5 min.)`,
    )
  }
  if (signedAt.getTime() > now + TOLERANCE) {
    throw new AwsError(
      'InvalidSignatureException',
      `Signature not yet current: ${stamp} is still later than ${compact(now + TOLERANCE)} (${compact(now)} + 5 min.)`,
    )
  }
  return signedAt
}

function checkScope(authorization: Authorization, service: string, region: string): void {
  if (authorization.service !== service) {
    throw new AwsError(
      'InvalidSignatureException',
      `Credential should be scoped to correct service: '${service}'. `,
    )
  }
  if (authorization.region !== region) {
    throw new AwsError(
      'InvalidSignatureException',
      `Credential should be scoped to a valid region, not '${authorization.region}'. `,
    )
  }
}

/** The host and every x-amz-* header have to be signed: older curls sign only host and date. */
function checkSignedHeaders({ headers }: WireRequest, { signedHeaders }: Authorization): void {
  const needed = ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))]
  const missing = needed.find((name) => !signedHeaders.includes(name))
  if (missing === undefined) return
  const name = missing === 'host' ? "'Host' or ':authority'" : `'${missing}'`
  throw new AwsError(
    'InvalidSignatureException',
    `${name} must be a 'SignedHeader' in the AWS Authorization.`,
  )
}

async function sign(
  request: WireRequest,
  { region, service, signedHeaders }: Authorization,
  credentials: Credentials,
  signingDate: Date,
): Promise<string> {
  const { pathname, searchParams } = new URL(request.url, 'http://loopback')
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  const signer = new SignatureV4({
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    region,
    service,
    sha256: Sha256,
    applyChecksum: false,
  })
  const headers = signedHeaders.map((name) => [name, request.headers[name] ?? ''] as const)
  const again = await signer.sign(
    new HttpRequest({
      method: request.method,
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: Object.fromEntries(headers),
      body: request.body,
    }),
    { signingDate, signableHeaders: new Set(signedHeaders) },
  )
  return /Signature=([0-9a-f]{64})/.exec(again.headers.authorization ?? '')?.[1] ?? ''
}

function compact(time: number): string {
  return new Date(time).toISOString().replace(/[-:]|\.\d+/g, '')
}
