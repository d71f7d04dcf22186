import { isRefusal, messageOf } from '../kernel/errors.ts'
import { REMEDIES } from '../kernel/remedies.ts'

/**
 * What Lambda answers of an invocation that failed: it takes `errorType` from an error's name, `errorMessage` from its
 * message and `trace` from its stack. So the name is the code, the message a sentence with its remedy, and the stack, which
 * names places in a minified file, is left to the log.
 */
export class FailedInvocation extends Error {
  readonly code: string

  constructor(error: unknown) {
    super(
      isRefusal(error)
        ? error.message
        : `${codeOf(error)}: ${messageOf(error)}. ${REMEDIES['internal-error']}`,
    )
    this.code = codeOf(error)
    this.name = this.code
    this.stack = ''
  }
}

/** What is read when the function starts: a failure is Lambda's answer to the first event. */
export function starting<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new FailedInvocation(error)
  }
}

/** An error for the log; with its stack where it is a fault of ours, which its code does not explain. */
export function failureOf(error: unknown): {
  readonly code: string
  readonly detail: string
  readonly stack?: string
} {
  const told = { code: codeOf(error), detail: messageOf(error) }
  return isRefusal(error) || !(error instanceof Error) ? told : { ...told, stack: error.stack ?? '' }
}

/** What has no code of ours is a fault of ours. */
function codeOf(error: unknown): string {
  return isRefusal(error) ? error.code : 'internal-error'
}
