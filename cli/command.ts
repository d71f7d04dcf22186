/** Where a command writes, and what time it is. */
export interface Io {
  readonly out: (text: string) => void
  readonly error: (text: string) => void
  /** The present state, where one watches; nothing where standard error is no terminal and two seconds are not over. */
  readonly state: (text: string) => void
  /** Leaves the last state behind. */
  readonly endState: () => void
  /** Until it is called again, what an operator is told who presses Ctrl-C: what goes on without this command. */
  readonly onInterrupt: (goesOn: string | undefined) => void
  /** Of the terminal that {@link out} writes to, where it is one. */
  readonly columns?: number | undefined
  /** ms */
  readonly now: () => number
}

/** What a command found: 0 all is well, 1 it is not, 2 that cannot be told. */
export type ExitCode = 0 | 1 | 2

export interface Command {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  readonly usage: string
  /** @throws UsageError where the words are not understood. */
  readonly run: (words: readonly string[], io: Io) => Promise<ExitCode>
}
