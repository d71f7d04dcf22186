import { AwsError } from './aws-error.ts'
import type { Fault, Faults } from './contract.ts'
import type { Principal } from './credentials.ts'

/** The connection closes without an answer. */
export class DroppedConnection extends Error {
  override readonly name = 'DroppedConnection'
}

/** The faults in force. Every fault counts the calls that match it. */
export class FaultPlan implements Faults {
  secretsLag = 0
  commandsLag = 0
  duplicates = 0
  #planned: { readonly fault: Fault; seen: number }[] = []

  add(fault: Fault): void {
    this.#planned.push({ fault, seen: 0 })
  }

  clear(): void {
    this.#planned = []
    this.secretsLag = 0
    this.commandsLag = 0
    this.duplicates = 0
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
      throw new AwsError('InternalServiceError', 'An error occurred on the server side.', 500)
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
