/** The rehearsal could not go on: what failed, and what its user can do next. */
export class RehearsalError extends Error {
  override readonly name = 'RehearsalError'

  constructor(
    what: string,
    readonly next: string = 'Run it again',
    cause?: unknown,
  ) {
    super(what, cause === undefined ? {} : { cause })
  }

  /** The same, with where the logs are. */
  at(logs: string): RehearsalError {
    return new RehearsalError(this.message, `${this.next}\nLogs: ${logs}`, this.cause)
  }
}

/** @throws RehearsalError once the user has asked for the end. */
export function stopIfAsked({ aborted }: AbortSignal): void {
  if (aborted) throw new RehearsalError('Interrupted', 'Nothing is left behind')
}
