import { z } from 'zod'
import { type Account, arn } from './account.ts'
import type { Caller, Operation } from './caller.ts'
import { parseInput } from './parse-input.ts'

export type AlarmStateValue = 'OK' | 'ALARM' | 'INSUFFICIENT_DATA'

/** An alarm that a user of the account has. */
interface Alarm {
  readonly state: AlarmStateValue
  readonly type: (typeof TYPES)[number]
}

const TYPES = ['MetricAlarm', 'CompositeAlarm'] as const
// Lengths are those of the API reference.
const INPUT = {
  AlarmNames: z.array(z.string().min(1).max(255)).max(100),
  AlarmTypes: z.array(z.enum(TYPES)).default(['MetricAlarm']),
  MaxRecords: z.number().int().min(1).max(100).default(50),
}

/** CloudWatch's alarms, as far as a function asks for their states. */
export class CloudWatch {
  readonly #account: Account
  readonly #alarms = new Map<string, Alarm>()
  readonly operations: Readonly<Record<string, Operation>> = {
    DescribeAlarms: (input, caller) => this.#describe(input, caller),
  }

  constructor(account: Account) {
    this.#account = account
  }

  /** Makes the alarm where it is not there; `undefined` deletes it. */
  set(name: string, state: AlarmStateValue | undefined, type: Alarm['type'] = 'MetricAlarm'): void {
    if (state === undefined) this.#alarms.delete(name)
    else this.#alarms.set(name, { state, type })
  }

  async #describe(input: unknown, caller: Caller) {
    const { AlarmNames, AlarmTypes } = parseInput(INPUT, input)
    for (const name of AlarmNames) await caller.need('cloudwatch:DescribeAlarms', this.#arnOf(name))
    // Of composite alarms is told who may ask for every alarm alone. Source: API reference, DescribeAlarms.
    const ofAll = await caller.may('cloudwatch:DescribeAlarms', this.#arnOf('one-that-is-not-configured'))
    const told = (type: Alarm['type']) =>
      AlarmTypes.includes(type) ? AlarmNames.flatMap((name) => this.#shape(name, type)) : []
    return { MetricAlarms: told('MetricAlarm'), CompositeAlarms: ofAll ? told('CompositeAlarm') : [] }
  }

  #arnOf(name: string): string {
    return arn(this.#account, 'cloudwatch', `alarm:${name}`)
  }

  #shape(name: string, type: Alarm['type']) {
    const alarm = this.#alarms.get(name)
    if (alarm?.type !== type) return []
    return [
      { AlarmName: name, AlarmArn: this.#arnOf(name), StateValue: alarm.state, StateReason: 'as it was set' },
    ]
  }
}
