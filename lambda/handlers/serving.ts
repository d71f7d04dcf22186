import { callerOf } from '../kernel/caller.ts'
import { FailedInvocation, failureOf } from './failure.ts'
import { type InvocationContext, now, writeLine } from './invocation.ts'

type Handler<T> = (event: unknown, context: InvocationContext) => Promise<T>

/**
 * A handler as Lambda is to see it: each invocation has an audit line that says who called, as far as Lambda tells, before
 * anything is done; what fails has one too, and is answered as a {@link FailedInvocation}.
 * @param scope whose function it is, for the log.
 */
export function serving<T>(scope: Readonly<Record<string, string>>, handle: Handler<T>): Handler<T> {
  return async (event, context) => {
    const { awsRequestId: requestId, invokedFunctionArn } = context
    const common = { ...scope, requestId, function: invokedFunctionArn }
    const tell = (level: 'info' | 'error', kind: string, facts: object) =>
      writeLine(JSON.stringify({ level, kind, at: now().toISOString(), ...common, ...facts }))
    tell('info', 'invoked', callerOf(event, context))
    try {
      return await handle(event, context)
    } catch (error) {
      tell('error', 'failed', failureOf(error))
      throw new FailedInvocation(error)
    }
  }
}
