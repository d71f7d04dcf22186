import type { Machine } from '../machines/machine.ts'
import { nextRelease, type Release } from '../next-release.ts'
import { deployAgain, destroyStack } from '../redeployment.ts'
import type { Existing } from '../stack-plan.ts'
import type { Testbed } from '../testbed.ts'

/** What a scene can do to AWS, and to what is deployed there. */
export class AwsControl {
  readonly #testbed: Testbed
  readonly #signal: AbortSignal

  constructor({ testbed, signal }: { readonly testbed: Testbed; readonly signal: AbortSignal }) {
    this.#testbed = testbed
    this.#signal = signal
  }

  /** From now on a ring may be so many intervals old, by default as many as before: the one duration that a scene shortens. */
  limitKeyAge(intervals?: number): void {
    const { aws, override } = this.#testbed
    override.limitKeyAge(intervals)
    aws.retime()
  }

  /** From now on Secrets Manager does not answer these machines. */
  cutOff(machines: readonly Machine[]): void {
    const always = { times: Number.POSITIVE_INFINITY, when: 'before', effect: 'fail' } as const
    for (const { id } of machines)
      this.#testbed.aws.faults.add({ principal: id, operation: 'GetSecretValue', ...always })
  }

  /** It answers all again. */
  reconnect(): void {
    this.#testbed.aws.faults.clear()
  }

  /** From now on no command can be sent, and State Manager runs nothing. */
  stopCommands(): void {
    const { faults, schedules } = this.#testbed.aws
    faults.add({
      operation: 'SendCommand',
      times: Number.POSITIVE_INFINITY,
      when: 'before',
      effect: 'fail',
    })
    for (const each of schedules) if (each.kind === 'association') each.pause()
  }

  resumeCommands(): void {
    const { faults, schedules } = this.#testbed.aws
    faults.clear()
    for (const each of schedules) if (each.kind === 'association') each.resume()
  }

  /** Deletes the stack. @returns what stays of the ring. */
  destroyStack(): Promise<Existing> {
    return destroyStack(this.#testbed)
  }

  /** The next release, with another program than what is deployed. To make it takes a second. */
  nextRelease(): Release {
    const { synthesis, ring } = this.#testbed
    return nextRelease(synthesis.template, ring)
  }

  async deploy({ template }: Release): Promise<void> {
    await this.#testbed.aws.update(template)
    this.#testbed.runSchedules()
  }

  /** Deploys it again with what stayed. */
  deployAgain(existing: Existing): Promise<void> {
    return deployAgain(this.#testbed, existing, this.#signal)
  }
}
