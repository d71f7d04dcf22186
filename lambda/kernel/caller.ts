import { excerpt } from './excerpt.ts'

/** What Lambda's context tells of a caller. Source: Lambda developer guide, the context object in Node.js. */
export interface CallerContext {
  /** What the caller sent as ClientContext, parsed: synchronous invocations only. */
  readonly clientContext?: unknown
  /** Of callers with credentials of an Amazon Cognito identity pool. */
  readonly identity?: unknown
}

/** Who called. Lambda does not tell a function the principal: CloudTrail's data events for Lambda do, by the request's id. */
export interface Caller {
  /** By the shape of the event, which any caller of the function can send too. */
  readonly caller: string
  /** `custom.caller` of the client context: the caller's own word. */
  readonly callerSays?: string
  readonly cognitoIdentity?: string
}

/** Does not throw, whatever came. */
export function callerOf(event: unknown, { clientContext, identity }: CallerContext): Caller {
  const says = memberOf(memberOf(clientContext, 'custom') ?? memberOf(clientContext, 'Custom'), 'caller')
  const cognito = memberOf(identity, 'cognitoIdentityId')
  return {
    caller: senderOf(event),
    ...(typeof says === 'string' && says !== '' ? { callerSays: excerpt(says, LONGEST) } : {}),
    ...(typeof cognito === 'string' && cognito !== '' ? { cognitoIdentity: excerpt(cognito, LONGEST) } : {}),
  }
}

const LONGEST = 200

function senderOf(event: unknown): string {
  if (memberOf(event, 'Step') !== undefined) return 'Secrets Manager, by the event'
  if (memberOf(event, 'scheduledTime') !== undefined) return 'EventBridge Scheduler, by the event'
  const action = memberOf(event, 'action')
  const isTick = (action === 'reconcile' || action === 'refresh') && Object.keys(event as object).length === 1
  return isTick ? 'EventBridge Scheduler, by the event of a tick' : 'not told by Lambda'
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}
