/** An answer that refuses, in AWS's own codes and words. */
export class AwsError extends Error {
  override readonly name = 'AwsError'
  readonly code: string
  readonly status: number

  constructor(code: string, message: string, status = 400) {
    super(message)
    this.code = code
    this.status = status
  }
}

export function codeOf(error: unknown): string {
  return error instanceof AwsError ? error.code : 'InternalFailure'
}

/** A mistake in what the loopback AWS was given, found before anything runs. */
export class LoopbackError extends Error {
  override readonly name = 'LoopbackError'
}
