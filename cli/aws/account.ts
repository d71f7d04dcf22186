import { ServiceError } from '../service-error.ts'

/** Which account and Region; each undefined where the SDK's own ways decide (environment, shared files, SSO). */
export interface Account {
  readonly profile: string | undefined
  readonly region: string | undefined
}

/** It would warn of a profile beside keys of the environment: what was tried is in our own words where it fails. */
const logger = { debug() {}, info() {}, warn() {}, error() {} }

/** What does not answer a connection is not there, or not reachable (ms). */
export const CONNECTION_TIMEOUT = 5_000

/** Of the SDK, as far as it is told. */
interface ServiceException {
  readonly name: string
  readonly message: string
  /** What came back; without a status nothing did. */
  readonly $metadata: { readonly httpStatusCode?: number }
}

/** For a client of the SDK. */
export function clientOptions({ profile, region }: Account) {
  return {
    logger,
    requestHandler: { connectionTimeout: CONNECTION_TIMEOUT },
    ...(profile === undefined ? {} : { profile }),
    ...(region === undefined ? {} : { region }),
  }
}

/** What the SDK or a service says where credentials are missing, over, unknown or wrong. */
const NO_ACCESS =
  /Credentials|(?<!Next)Token|UnrecognizedClient|SignatureDoesNotMatch|InvalidSignature|IncompleteSignature|AuthFailure|RequestExpired|OptInRequired/
const DENIED = /^(AccessDenied|AccessDeniedException|UnauthorizedOperation)$/
const THROTTLED = /^(Throttl|TooManyRequests|RequestLimitExceeded)/

/**
 * What a call that failed says to an operator.
 * @param action what it takes, as IAM calls it
 */
export function refusalOf(error: unknown, account: Account, action: string): ServiceError {
  const { name: code = '', message = '', $metadata = {} } = error as Partial<ServiceException>
  const where = whereOf(account)
  if (NO_ACCESS.test(code) || /Region is missing|could not be found|Could not load/.test(message))
    return new ServiceError(
      `${where} gives no access: ${message}`,
      'Log in, or name another by --profile and --region',
      error,
    )
  if (DENIED.test(code))
    return new ServiceError(`${where} may not: ${message}`, `Give its role ${action}`, error)
  if (THROTTLED.test(code))
    return new ServiceError(`AWS is asked too often: ${message}`, 'Wait a minute, then ask again', error)
  const said = `${code}: ${message}`
  const status = $metadata.httpStatusCode ?? 0
  if (status >= 500) return new ServiceError(`AWS failed: ${said}`, 'Ask again in a minute', error)
  if (status >= 400)
    return new ServiceError(`AWS refused: ${said}`, 'Check --stack, --profile and --region', error)
  return new ServiceError(
    `AWS did not answer: ${said}`,
    'Check the network and the Region, then try again',
    error,
  )
}

/** Which credentials were tried. A profile, named or of the environment, goes before keys of the environment. */
export function whereOf({ profile }: Account): string {
  if (profile !== undefined) return `The profile ${profile}`
  const { AWS_PROFILE, AWS_ACCESS_KEY_ID } = process.env
  if (AWS_PROFILE) return `The profile ${AWS_PROFILE} (AWS_PROFILE)`
  return AWS_ACCESS_KEY_ID ? 'The key of the environment (AWS_ACCESS_KEY_ID)' : 'The profile default'
}
