import { type ErrorCode, TicketringError } from '../core/errors.ts'

/**
 * Turns an error of the SDK into one of ours. AWS's message names the principal, the action and the resource, and
 * no value: it is kept as what came.
 * @param codes AWS error name to our code, for what this call expects beyond the common ones.
 */
export function refusal(
  error: unknown,
  wanted: string,
  codes: Readonly<Record<string, ErrorCode>> = {},
): unknown {
  if (!(error instanceof Error)) return error
  const code = codes[error.name] ?? COMMON[error.name]
  if (code === undefined) return error
  return new TicketringError(code, { wanted, came: `${error.name}: ${error.message}`, cause: error })
}

/** True for an error of the SDK by this name. */
export function isNamed(error: unknown, name: string): error is Error {
  return error instanceof Error && error.name === name
}

const COMMON: Readonly<Record<string, ErrorCode>> = {
  AccessDeniedException: 'access-denied',
  AccessDenied: 'access-denied',
  ThrottlingException: 'throttled',
  TooManyRequestsException: 'throttled',
}
