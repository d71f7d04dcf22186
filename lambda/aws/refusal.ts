import { type ErrorCode, TicketringError } from '../kernel/errors.ts'
import { excerpt } from '../kernel/excerpt.ts'
import { codeOf, layerOf } from './http/node-error.ts'

/** Characters of AWS's message: a principal's, a key's and a resource's ARN, and some words; it may quote a whole value. */
const LONGEST = 600

/**
 * Turns an error of the SDK into one of ours. AWS's message names the principal, the action and the resource, and
 * no value: it is kept as what came.
 * @param codes AWS error name to our code, for what this call expects beyond the common ones.
 * @returns what is no error of the SDK or of the way to AWS as it is: a fault of ours.
 */
export function refusal(
  error: unknown,
  wanted: string,
  codes: Readonly<Record<string, ErrorCode>> = {},
): unknown {
  if (!(error instanceof Error)) return error
  const code = codes[error.name] ?? COMMON[error.name] ?? codeOnTheWay(error) ?? codeOfAnswer(error)
  if (code === undefined) return error
  const came = `${nameOf(error)}: ${excerpt(error.message, LONGEST)}`
  return new TicketringError(code, { wanted, came, cause: error })
}

/** True for an error of the SDK by this name. */
export function isNamed(error: unknown, name: string): error is Error {
  return error instanceof Error && error.name === name
}

/** Of Node's errors the code says more than their name, which is always Error. */
function nameOf(error: Error): string {
  return error.name === 'Error' ? (codeOf(error) ?? error.name) : error.name
}

/** AWS was not reached, or its answer was not whole. */
function codeOnTheWay(error: Error): ErrorCode | undefined {
  const layer = layerOf(error)
  // What speaks no HTTP is none of AWS's servers.
  if (layer !== undefined) return layer === 'not-http' ? 'aws-unreachable' : `aws-${layer}`
  return error.name === 'TimeoutError' ? 'aws-timeout' : undefined
}

/** AWS answered, in words that this call does not expect. */
function codeOfAnswer(error: Error): ErrorCode | undefined {
  const { $metadata } = error as { readonly $metadata?: { readonly httpStatusCode?: number } }
  const status = $metadata?.httpStatusCode
  if (status === undefined) return undefined
  if (status === 429) return 'throttled'
  return status >= 500 ? 'aws-unavailable' : 'aws-refused'
}

/** Source: the common errors of AWS's APIs, and the errors of Secrets Manager's and Systems Manager's operations. */
const COMMON: Readonly<Record<string, ErrorCode>> = {
  AccessDeniedException: 'access-denied',
  AccessDenied: 'access-denied',
  // Of the secret's KMS key: gone, disabled, or not for this role.
  DecryptionFailure: 'access-denied',
  EncryptionFailure: 'access-denied',
  ThrottlingException: 'throttled',
  Throttling: 'throttled',
  ThrottledException: 'throttled',
  RequestLimitExceeded: 'throttled',
  TooManyRequestsException: 'throttled',
  TooManyUpdates: 'throttled',
  CredentialsProviderError: 'aws-credentials',
  ExpiredTokenException: 'aws-credentials',
  IncompleteSignature: 'aws-credentials',
  InvalidClientTokenId: 'aws-credentials',
  InvalidSignatureException: 'aws-credentials',
  MissingAuthenticationToken: 'aws-credentials',
  RequestExpired: 'aws-credentials',
  UnrecognizedClientException: 'aws-credentials',
}
