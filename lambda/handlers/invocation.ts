import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Chance, Clock } from '../app/ports.ts'

/** What handlers use of Lambda's context. */
export interface InvocationContext {
  getRemainingTimeInMillis(): number
}

/** For the SDK's clients. Throttling is waited out: nothing here is in a hurry that a few retries would spoil. */
export const PATIENCE = { retryMode: 'adaptive', maxAttempts: 8 } as const

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
