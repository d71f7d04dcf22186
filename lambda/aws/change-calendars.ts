import { GetCalendarStateCommand, type SSMClient } from '@aws-sdk/client-ssm'
import { TicketringError } from '../kernel/errors.ts'
import type { CalendarState, Calendars } from '../ring/ports.ts'
import { refusal } from './refusal.ts'

/** Change Calendars of Systems Manager, own ones by their names and shared ones by their ARNs. */
export class ChangeCalendars implements Calendars {
  readonly #client: SSMClient

  constructor(client: SSMClient) {
    this.#client = client
  }

  async state(names: readonly string[]): Promise<CalendarState> {
    const wanted = `the state of the calendars ${names.join(', ')}`
    const { State = 'nothing', NextTransitionTime = '' } = await this.#ask(names, wanted)
    if (State !== 'OPEN' && State !== 'CLOSED')
      throw new TicketringError('aws-refused', { wanted, came: String(State) })
    const until = new Date(NextTransitionTime)
    const state = State === 'OPEN' ? 'open' : 'closed'
    return Number.isNaN(until.getTime()) ? { state } : { state, until }
  }

  async #ask(names: readonly string[], wanted: string) {
    try {
      return await this.#client.send(new GetCalendarStateCommand({ CalendarNames: [...names] }))
    } catch (error) {
      throw refusal(error, wanted, UNUSABLE)
    }
  }
}

/** Source: API reference, GetCalendarState. */
const UNUSABLE = {
  InvalidDocument: 'calendar-unknown',
  InvalidDocumentType: 'calendar-unknown',
  UnsupportedCalendarException: 'calendar-unknown',
} as const
