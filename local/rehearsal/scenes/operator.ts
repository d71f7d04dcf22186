import type { AlarmState } from '../../aws/metric-alarm.ts'
import { type Typed, typeTicketring } from '../operator-command.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import type { Testbed } from '../testbed.ts'
import { PATIENCE, type Waiting } from './waiting.ts'

/** What the one on call sees and types. */
export class Operator {
  readonly #testbed: Testbed
  readonly #waiting: Waiting
  /** ms */
  readonly #since = Date.now()

  constructor(testbed: Testbed, waiting: Waiting) {
    this.#testbed = testbed
    this.#waiting = waiting
  }

  /**
   * Waits until an alarm that pages has been in this state.
   * @param heading of the runbook.
   * @param since ms; by default since the scene began.
   * @returns the alarm, and what it says, in a sentence.
   */
  async isPaged(
    heading: string,
    state: Exclude<AlarmState, 'OK'> = 'ALARM',
    since = this.#since,
  ): Promise<string> {
    const { alarms } = this.#testbed
    const { AlarmName, AlarmDescription } = alarms.named(heading)
    if (!alarms.pages(heading, state))
      throw new RehearsalError(`the alarm ${AlarmName} pages no one in ${state}`)
    await this.#waiting.until(`the alarm ${AlarmName} is in ${state}`, () =>
      alarms.hasBeen(heading, state, since),
    )
    return `paged: ${AlarmName} ${state}: ${AlarmDescription}`
  }

  /** Waits until an alarm tells that what it told of is over. */
  async isRelieved(heading: string): Promise<string> {
    const { alarms } = this.#testbed
    const { AlarmName } = alarms.named(heading)
    await this.#waiting.until(`the alarm ${AlarmName} is over`, () => alarms.stateOf(heading) === 'OK')
    return `${AlarmName} OK again`
  }

  /**
   * Types a command of `npx ticketring`, once.
   * @param wanted its exit code, where that is known beforehand, and what has to be in lines of what it prints.
   * @returns the command, and those lines.
   * @throws RehearsalError where it says anything else.
   */
  async types(words: readonly string[], wanted: Wanted): Promise<readonly string[]> {
    const typed = await typeTicketring(this.#testbed, words)
    const lines = linesOf(typed, wanted)
    if (lines === undefined) throw new RehearsalError(unwanted(words, wanted, typed))
    return [`$ ticketring ${words.join(' ')}`, ...lines.map((line) => `  ${line}`)]
  }

  /** The same for one that may be typed again, as often as it takes: a delivery may just be under way. */
  async repeats(words: readonly string[], wanted: Wanted): Promise<readonly string[]> {
    const deadline = Date.now() + PATIENCE
    for (;;) {
      try {
        return await this.types(words, wanted)
      } catch (error) {
        this.#waiting.check()
        if (Date.now() > deadline) throw error
      }
    }
  }
}

interface Wanted {
  readonly code?: 0 | 1 | 2
  readonly says: readonly RegExp[]
}

/** The wanted lines, in their order; undefined where one is missing, or the exit code is another. */
function linesOf({ code, output }: Typed, wanted: Wanted): readonly string[] | undefined {
  const lines = output.split('\n').map((line) => line.trim())
  const found = wanted.says.flatMap((pattern) => lines.find((line) => pattern.test(line)) ?? [])
  const isWanted = code === (wanted.code ?? code) && found.length === wanted.says.length
  return isWanted ? found : undefined
}

function unwanted(words: readonly string[], { code, says }: Wanted, came: Typed): string {
  const wanted = `exit code ${code ?? 'of any kind'} and ${says.join(', ')}`
  return `ticketring ${words.join(' ')}: wanted ${wanted}; got exit code ${came.code} and ${came.output}`
}
