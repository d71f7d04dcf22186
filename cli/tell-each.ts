import type { ExitCode, Io } from './command.ts'
import { ServiceError } from './service-error.ts'

/** Tells of each, one after the other. One that cannot be told hides none of the others, and is the exit code. */
export async function tellEach<T>(
  all: readonly T[],
  tell: (one: T) => Promise<ExitCode>,
  { error: say }: Pick<Io, 'error'>,
): Promise<ExitCode> {
  const codes: ExitCode[] = []
  for (const one of all) {
    try {
      codes.push(await tell(one))
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      say(`${error.message}\n${error.next}`)
      codes.push(2)
    }
  }
  if (codes.includes(2)) return 2
  return codes.includes(1) ? 1 : 0
}
