import { AwsError } from './aws-error.ts'
import type { Fault, Faults } from './contract.ts'
import type { Principal } from './credentials.ts'

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
export function strike(fault: Fault, principal: Principal): never {
  switch (fault.effect) {
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
