import { setTimeout as pause } from 'node:timers/promises'
import { RehearsalError } from '../rehearsal-error.ts'
import type { Testbed } from '../testbed.ts'

/** How long the staple function may be at work on one event (ms). */
const PATIENCE = 120_000

export const STATUS = { action: 'status' }
export const REFRESH = { action: 'refresh', force: true }

/** What the staple function answers, as far as a rehearsal goes by it. */
export interface StapleStatus {
  readonly certificates: readonly StapleWords[]
  readonly delivery: { readonly action: string; readonly reason: string }
  readonly fleet: {
    readonly members: number
    readonly confirmed: number
    readonly stragglers: readonly { readonly id: string; readonly reason: string }[]
  }
}

interface StapleWords {
  readonly name: string
  readonly state: string
  readonly status?: string
  readonly end?: string
  readonly lastFailure?: { readonly code: string }
  readonly failures?: number
}

/** Asks it by hand. @throws RehearsalError when the function fails, or has not come to its end in time. */
export async function askStapleFunction({ aws, set }: Testbed, event: object): Promise<StapleStatus> {
  const asked = aws.invoke(set.functionName, event)
  // How it ends does not matter any more once it is not waited for.
  asked.catch(() => {})
  const answer = await Promise.race([asked, pause(PATIENCE, undefined, { ref: false })])
  if (answer === undefined)
    throw new RehearsalError(
      `the staple function is at work on ${JSON.stringify(event)} for ${PATIENCE / 1000} s`,
    )
  const { payload, functionError } = answer
  if (functionError === undefined) return payload as StapleStatus
  const { errorMessage } = payload as { readonly errorMessage?: string }
  throw new RehearsalError(`The staple function failed: ${errorMessage ?? functionError}`)
}

/** What it says of one certificate, in words. */
export function wordsOn({ name, state, status, end, failures = 0, lastFailure }: StapleWords): string {
  const trouble = failures > 0 && lastFailure !== undefined ? `${lastFailure.code}, ` : ''
  return state === 'staple' ? `${name} ${trouble}${status} until ${end}` : `${name} ${trouble}${state}`
}
