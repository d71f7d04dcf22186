/** A command that cannot be done as it was asked: a sentence, and what to type instead. The exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
