import { AwsError } from './aws-error.ts'
import type { Principal } from './credentials.ts'

export interface Faults {
  /** Lets a chosen call fail. */
  add(fault: Fault): void
  /** Milliseconds until a write of Secrets Manager can be read. */
  secretsLag: number
  /** Milliseconds until a command and its invocations are listed. */
  commandsLag: number
  /** Milliseconds until a machine's tags, or their change, can be seen. */
  tagsLag: number
  /** Lets no more than so many calls a second through, all these operations together, after a burst of as many. */
  limit(operations: readonly string[], perSecond: number): void
  /** Each firing of a schedule is delivered so many times more. */
  duplicates: number
  clear(): void
}

export interface Fault {
  /** A function or role name; every principal's calls if absent. */
  readonly principal?: string
  readonly operation?: string
  /** The how-manieth matching call, from 1; with `times` the first of so many. Default 1. */
  readonly call?: number
  readonly times?: number
  /** Before the call takes effect, or after it, in place of its answer. */
  readonly when: 'before' | 'after'
  /** A throttle, an internal error, a closed connection, the death of the calling function's process, or this refusal. */
  readonly effect: 'throttle' | 'fail' | 'drop' | 'kill' | AwsError
}

/** The connection closes without an answer. */
export class DroppedConnection extends Error {
  override readonly name = 'DroppedConnection'
}

/** As many tokens as it takes in a second, and never more than that. */
class TokenBucket {
  readonly #perSecond: number
  #tokens: number
  #filledAt: number

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond
    this.#tokens = perSecond
    this.#filledAt = now
  }

  take(now: number): boolean {
    const grown = ((now - this.#filledAt) / 1000) * this.#perSecond
    this.#tokens = Math.min(this.#perSecond, this.#tokens + grown)
    this.#filledAt = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}

/** The faults in force. Every fault counts the calls that match it. */
export class FaultPlan implements Faults {
  secretsLag = 0
  commandsLag = 0
  tagsLag = 0
  duplicates = 0
  #limits: { readonly operations: readonly string[]; readonly bucket: TokenBucket }[] = []
  readonly #now: () => number
  #planned: { readonly fault: Fault; seen: number }[] = []

  constructor(now: () => number) {
    this.#now = now
  }

  add(fault: Fault): void {
    this.#planned.push({ fault, seen: 0 })
  }

  limit(operations: readonly string[], perSecond: number): void {
    this.#limits.push({ operations, bucket: new TokenBucket(perSecond, this.#now()) })
  }

  clear(): void {
    this.#planned = []
    this.#limits = []
    this.tagsLag = 0
    this.secretsLag = 0
    this.commandsLag = 0
    this.duplicates = 0
  }

  /** Takes a token for a call. @throws AwsError `ThrottlingException` where none is left. */
  admit(operation: string): void {
    const limits = this.#limits.filter(({ operations }) => operations.includes(operation))
    const admitted = limits.every(({ bucket }) => bucket.take(this.#now()))
    if (!admitted) throw new AwsError('ThrottlingException', 'Rate exceeded')
  }

  /** Counts a call and picks the fault that hits it, if any. */
  pick(operation: string, principal: Principal): Fault | undefined {
    const hit = this.#planned.filter((planned) => matches(planned.fault, operation, principal))
    for (const planned of hit) planned.seen += 1
    return hit.find(({ fault, seen }) => {
      const first = fault.call ?? 1
      return seen >= first && seen < first + (fault.times ?? 1)
    })?.fault
  }
}

/** @throws always: the refusal, or {@link DroppedConnection}. */
export function strike({ effect }: Fault, principal: Principal): never {
  if (effect instanceof AwsError) throw effect
  switch (effect) {
    case 'throttle':
      throw new AwsError('ThrottlingException', 'Rate exceeded')
    case 'fail':
      throw new AwsError('InternalFailure', 'An error occurred on the server side.', 500)
    case 'kill':
      principal.kill?.()
      throw new DroppedConnection()
    case 'drop':
      throw new DroppedConnection()
  }
}

function matches(fault: Fault, operation: string, { name, role }: Principal): boolean {
  if (fault.operation !== undefined && fault.operation !== operation) return false
  return fault.principal === undefined || fault.principal === name || fault.principal === role
}
