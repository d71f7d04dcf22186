import type { Answer } from '../../lambda/ring/answer.ts'
import type { Account } from '../aws/account.ts'
import type { Io } from '../command.ts'
import { readable } from '../wrapped-text.ts'
import { type Placed, placed } from './placed.ts'

/** Prints it as JSON, or as the text that is made of it. */
export async function tell(
  answer: Answer,
  textOf: (answer: Placed) => string,
  account: Account,
  { json }: { readonly json?: boolean | undefined },
  io: Io,
): Promise<void> {
  const told = await placed(answer, account)
  io.out(json === true ? JSON.stringify(told) : readable(io, textOf(told)))
}
