import type { Answer } from '../../lambda/ring/answer.ts'
import type { ExitCode, Io } from '../command.ts'
import { ServiceError } from '../service-error.ts'
import { isWell } from './state.ts'
import { statusText } from './status-text.ts'

/** Tells how each ring stands. One that cannot be told hides none of the others, and is the exit code. */
export async function tellStatuses<R>(
  rings: readonly R[],
  answerOf: (ring: R) => Promise<Answer>,
  io: Pick<Io, 'out' | 'error'>,
  textOf: (answer: Answer) => string = statusText,
): Promise<ExitCode> {
  const codes: ExitCode[] = []
  for (const ring of rings) {
    try {
      const answer = await answerOf(ring)
      io.out(textOf(answer))
      codes.push(isWell(answer) ? 0 : 1)
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      io.error(`${error.message}\n${error.next}`)
      codes.push(2)
    }
  }
  if (codes.includes(2)) return 2
  return codes.includes(1) ? 1 : 0
}
