/** What was asked for cannot be told: a sentence, and what to do next. The exit code is 2. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly next: string

  constructor(message: string, next: string, cause?: unknown) {
    super(message, { cause })
    this.next = next
  }
}
