import type { AlarmState } from '../../aws/metric-alarm.ts'
import { typeTicketring } from '../operator-command.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import type { Testbed } from '../testbed.ts'

/** What the one on call sees and types. */
export class Operator {
  readonly #testbed: Testbed
  readonly #until: (what: string, isSo: () => boolean) => Promise<void>

  constructor(testbed: Testbed, until: (what: string, isSo: () => boolean) => Promise<void>) {
    this.#testbed = testbed
    this.#until = until
  }

  /**
   * Waits until an alarm that pages is in this state.
   * @param heading of the runbook.
   * @returns the alarm, and what it says, in a sentence.
   */
  async isPaged(heading: string, state: Exclude<AlarmState, 'OK'> = 'ALARM'): Promise<string> {
    const { alarms } = this.#testbed
    const { AlarmName, AlarmDescription } = alarms.named(heading)
    if (!alarms.pages(heading, state))
      throw new RehearsalError(`the alarm ${AlarmName} pages no one in ${state}`)
    await this.#until(`the alarm ${AlarmName} is in ${state}`, () => alarms.stateOf(heading) === state)
    return `paged: ${AlarmName} ${state}: ${AlarmDescription}`
  }

  /** Waits until an alarm tells that what it told of is over. */
  async isRelieved(heading: string): Promise<string> {
    const { alarms } = this.#testbed
    const { AlarmName } = alarms.named(heading)
    await this.#until(`the alarm ${AlarmName} is over`, () => alarms.stateOf(heading) === 'OK')
    return `${AlarmName} OK again`
  }

  /**
   * Types a command of `npx ticketring`.
   * @param wanted its exit code, and what has to be in lines of what it prints.
   * @returns the command, and those lines.
   */
  async types(
    words: readonly string[],
    { code, says }: { readonly code: number; readonly says: readonly RegExp[] },
  ): Promise<readonly string[]> {
    const typed = await typeTicketring(this.#testbed, words)
    const command = `ticketring ${words.join(' ')}`
    const lines = typed.output.split('\n').map((line) => line.trim())
    const found = says.map((pattern) => lines.find((line) => pattern.test(line)))
    if (typed.code === code && !found.includes(undefined))
      return [`$ ${command}`, ...found.map((line) => `  ${line}`)]
    const wanted = `exit code ${code} and ${says.join(', ')}`
    throw new RehearsalError(`${command}: wanted ${wanted}; got exit code ${typed.code} and ${typed.output}`)
  }
}
