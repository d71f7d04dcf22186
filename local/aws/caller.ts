import type { Authorisation, Context } from './authorisation.ts'
import { insist } from './authorisation.ts'
import type { Principal } from './credentials.ts'
import type { Call, Decision } from './history.ts'

/** A call under way: who makes it, what it was allowed, and its line in the history. */
export class Caller {
  readonly principal: Principal
  readonly #authorisation: Authorisation
  readonly #decisions: Decision[]

  constructor(principal: Principal, authorisation: Authorisation, decisions: Decision[]) {
    this.principal = principal
    this.#authorisation = authorisation
    this.#decisions = decisions
  }

  /** @throws AwsError `AccessDeniedException`. */
  async need(action: string, resource: string, context: Context = {}): Promise<void> {
    const verdict = await this.#evaluate(action, resource, context)
    insist(verdict)
  }

  async may(action: string, resource: string, context: Context = {}): Promise<boolean> {
    return (await this.#evaluate(action, resource, context)).allowed
  }

  async #evaluate(action: string, resource: string, context: Context) {
    const verdict = await this.#authorisation.evaluate({
      principal: this.principal,
      action,
      resource,
      context,
    })
    const { refusal: _, ...decision } = verdict
    this.#decisions.push(decision)
    return verdict
  }
}

/** An operation of a service: what came in, parsed as JSON, to what goes out. */
export type Operation = (input: unknown, caller: Caller) => Promise<unknown>

/** Opens a line of the history and gives the caller that writes to it. */
export class CallBook {
  readonly calls: Call[] = []
  readonly #authorisation: Authorisation
  readonly #now: () => number

  constructor(authorisation: Authorisation, now: () => number) {
    this.#authorisation = authorisation
    this.#now = now
  }

  open(service: string, operation: string, principal: Principal): { call: Call; caller: Caller } {
    const decisions: Decision[] = []
    const { arn, kind } = principal
    const call: Call = { service, operation, principal: arn, kind, at: this.#now(), decisions }
    this.calls.push(call)
    return { call, caller: new Caller(principal, this.#authorisation, decisions) }
  }
}
