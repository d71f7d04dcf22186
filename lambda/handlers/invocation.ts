import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Chance, Clock } from '../fleet/ports.ts'
import type { CallerContext } from '../kernel/caller.ts'

/** What handlers use of Lambda's context. */
export interface InvocationContext extends CallerContext {
  /** By which CloudTrail knows the invocation. */
  readonly awsRequestId?: string
  /** With the alias or version that was named. */
  readonly invokedFunctionArn?: string
  getRemainingTimeInMillis(): number
}

/**
 * For the SDK's clients. Throttling is waited out: nothing here is in a hurry that a few retries would spoil. An endpoint
 * that swallows packets fails in time to say so, instead of Lambda's time-out, which names no cause.
 */
export const PATIENCE = {
  retryMode: 'adaptive',
  maxAttempts: 8,
  requestHandler: { connectionTimeout: 5_000, socketTimeout: 30_000 },
} as const

export const CHANCE: Chance = { random: randomBytes, uuid: randomUUID }

export const now = () => new Date()

/** The clock of one invocation. */
export function clockOf(context: InvocationContext): Clock {
  return {
    now,
    sleep: (milliseconds) => sleep(milliseconds),
    remaining: () => context.getRemainingTimeInMillis(),
  }
}

/** Lambda makes an entry of the log of each line on standard output. */
export function writeLine(line: string): void {
  process.stdout.write(`${line}\n`)
}
