import { z } from 'zod'
import { type Account, arn } from './account.ts'
import { AwsError } from './aws-error.ts'
import type { Caller, Operation } from './caller.ts'
import { parseInput } from './parse-input.ts'

/** A Change Calendar: its events are what its state is not by default. Times in ms. */
export interface ChangeCalendar {
  readonly type: 'DEFAULT_OPEN' | 'DEFAULT_CLOSED'
  readonly events: readonly { readonly from: number; readonly to: number }[]
}

// GetCalendarState documents no lengths.
const INPUT = {
  CalendarNames: z.array(z.string().min(1)).min(1),
  AtTime: z.iso.datetime({ offset: true }).optional(),
}

/** Change Calendars, as far as one asks for their state. */
export class ChangeCalendars {
  readonly #account: Account
  readonly #calendars = new Map<string, ChangeCalendar>()
  readonly operations: Readonly<Record<string, Operation>> = {
    GetCalendarState: (input, caller) => this.#state(input, caller),
  }

  constructor(account: Account) {
    this.#account = account
  }

  /** @param nameOrArn by ARN, one that another account shares. `undefined` deletes it, or ends the sharing. */
  set(nameOrArn: string, calendar: ChangeCalendar | undefined): void {
    if (calendar === undefined) this.#calendars.delete(this.#arnOf(nameOrArn))
    else this.#calendars.set(this.#arnOf(nameOrArn), calendar)
  }

  async #state(input: unknown, caller: Caller) {
    const { CalendarNames, AtTime } = parseInput(INPUT, input)
    const arns = CalendarNames.map((name) => this.#arnOf(name))
    for (const each of arns) await caller.need('ssm:GetCalendarState', each)
    const calendars = arns.map((each) => this.#find(each))
    const at = AtTime === undefined ? this.#account.now() : Date.parse(AtTime)
    const isOpen = (time: number) => calendars.every((each) => isOpenAt(each, time))
    const next = calendars
      .flatMap(({ events }) => events.flatMap(({ from, to }) => [from, to]))
      .filter((time) => time > at && isOpen(time) !== isOpen(at))
      .toSorted((one, other) => one - other)[0]
    return {
      State: isOpen(at) ? 'OPEN' : 'CLOSED',
      AtTime: written(at),
      ...(next === undefined ? {} : { NextTransitionTime: written(next) }),
    }
  }

  #find(calendar: string): ChangeCalendar {
    const found = this.#calendars.get(calendar)
    if (found === undefined) throw new AwsError('InvalidDocument', `Document ${calendar} does not exist.`)
    return found
  }

  #arnOf(nameOrArn: string): string {
    return nameOrArn.startsWith('arn:') ? nameOrArn : arn(this.#account, 'ssm', `document/${nameOrArn}`)
  }
}

function isOpenAt({ type, events }: ChangeCalendar, time: number): boolean {
  const isWithin = events.some(({ from, to }) => from <= time && time < to)
  return type === 'DEFAULT_OPEN' ? !isWithin : isWithin
}

/** In whole seconds. */
function written(time: number): string {
  return new Date(time).toISOString().replace(/\.\d{3}Z$/, 'Z')
}
