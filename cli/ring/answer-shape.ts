import type { Answer } from '../../lambda/ring/answer.ts'
import { ServiceError } from '../service-error.ts'

/** The parts that a text is made of; a function of another release may lack or add others. */
export function parseAnswer(value: unknown, name: string): Answer {
  const answer = (value ?? {}) as Partial<Answer>
  const isWhole =
    typeof answer.ring === 'string' &&
    typeof answer.asOf === 'string' &&
    typeof answer.decision?.action === 'string' &&
    typeof answer.decision.reason === 'string' &&
    (answer.fleet === undefined || Array.isArray(answer.fleet.stragglers))
  if (isWhole) return answer as Answer
  throw new ServiceError(
    `${name} answered in a way that this release does not know`,
    'Use the release that the stack is of',
  )
}
