import type { Answer } from '../../lambda/ring/answer.ts'
import type { Account } from '../aws/account.ts'
import { type Places, placesOf } from '../aws/places.ts'
import { ServiceError } from '../service-error.ts'

/** An answer, with what an operator may know of the machines in it that have not proved the ring. */
export interface Placed extends Answer {
  readonly places?: Places
  /** Why that is not told. */
  readonly placesProblem?: string
}

/** Asked for only where there is such a machine, by the operator's own rights: no function has them. */
export async function placed(answer: Answer, account: Account): Promise<Placed> {
  const ids = (answer.fleet?.stragglers ?? []).map(({ id }) => id)
  if (ids.length === 0) return answer
  try {
    return { ...answer, places: await placesOf(account, ids) }
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    return { ...answer, placesProblem: `${error.message}; ${error.next}` }
  }
}
