import type { Command } from '../command.ts'
import { ACCOUNT, ACCOUNT_OPTIONS, deployedOf, only, read } from '../ring/words.ts'
import { ServiceError } from '../service-error.ts'
import { UsageError } from '../usage-error.ts'

export const EXPLAIN: Command = {
  name: 'explain',
  summary: 'why a certificate is stapled, or is not: the outcome of every rule',
  usage: `Usage: ticketring explain SET CERTIFICATE [options]

Asks the function that only looks, ticketring-SET-staples-status, which can change nothing, about the response that is stored for the certificate.

${ACCOUNT}

Exit code: 0 the response is good and stapled, 1 not so, 2 that cannot be told.`,
  run: async (words, io) => {
    const { values, positionals } = read(words, ACCOUNT_OPTIONS)
    const [set = '', certificate, ...extra] = positionals
    if (certificate === undefined || extra.length > 0)
      throw new UsageError('The name of a set and that of a certificate are wanted')
    const asked = only([set])
    const { functions, stack } = await deployedOf(values)
    const { status } = stack.set(asked)
    const answer = parseExplanation(
      await functions.invoke(status, { action: 'explain', certificate }),
      status,
    )
    io.out(values.json === true ? JSON.stringify(answer) : explanationText(answer))
    return answer.verdict === 'good' && answer.state === 'staple' ? 0 : 1
  },
}

/** What the function says of one certificate, as far as it is told here. */
interface Explained {
  readonly certificate: string
  readonly verdict: string
  readonly state: string
  readonly reason: string
  readonly effectiveEnd?: string | null
  readonly rules: readonly { readonly rule: string; readonly ok: boolean | null; readonly detail: string }[]
}

function parseExplanation(value: unknown, name: string): Explained {
  const answer = (value ?? {}) as Partial<Explained>
  const texts = [answer.certificate, answer.verdict, answer.state, answer.reason]
  if (texts.every((each) => typeof each === 'string') && Array.isArray(answer.rules))
    return answer as Explained
  throw new ServiceError(
    `${name} answered in a way that this release does not know`,
    'Use the release that the stack is of',
  )
}

/** The verdict, and each rule with what came of it; those that were broken are seen first. */
export function explanationText({
  certificate,
  verdict,
  state,
  reason,
  effectiveEnd,
  rules,
}: Explained): string {
  const end = typeof effectiveEnd === 'string' ? `, until ${effectiveEnd}` : ''
  const broken = rules.filter(({ ok }) => ok === false)
  const others = rules.filter(({ ok }) => ok !== false)
  const told = [...broken, ...others].map(
    ({ rule, ok, detail }) =>
      `  ${ok === false ? 'BROKEN' : ok === null ? 'none  ' : 'kept  '} ${rule}: ${detail}`,
  )
  return [`${certificate}: ${verdict}${end}; ${state}: ${reason}`, ...told].join('\n')
}
