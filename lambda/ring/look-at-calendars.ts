import { isRefusal } from '../kernel/errors.ts'
import type { CalendarSight } from './calendar.ts'
import type { RotationConfiguration } from './configuration.ts'
import { decide } from './decision.ts'
import type { Calendars } from './ports.ts'
import type { Decision, Intent, Situation } from './situation.ts'

interface CalendarPorts {
  readonly configuration: RotationConfiguration
  readonly calendars: Calendars
}

interface Decided {
  readonly situation: Situation
  readonly decision: Decision
}

/** Decides. The calendars are asked where a generation would be made otherwise, or the alarm on a held rotation would be told. */
export async function decideByCalendars(
  ports: CalendarPorts,
  situation: Situation,
  intent: Intent,
): Promise<Decided> {
  const decision = decide(situation, intent, ports.configuration)
  if (!turnsOnCalendars(decision)) return { situation, decision }
  const seen = await withCalendars(ports, situation)
  return { situation: seen, decision: decide(seen, intent, ports.configuration) }
}

function turnsOnCalendars(decision: Decision): boolean {
  if (decision.action === 'hold') return decision.page && LATE.includes(decision.waitsFor)
  return decision.action === 'advance' || decision.action === 'genesis'
}

const LATE: readonly Extract<Decision, { action: 'hold' }>['waitsFor'][] = ['convergence', 'canary']

/** The situation with what the calendars say, where any are configured. Does not throw: what is not known holds. */
export async function withCalendars<T extends Situation>(
  { configuration, calendars }: CalendarPorts,
  situation: T,
): Promise<T> {
  const names = configuration.calendars
  if (names === undefined || situation.calendar !== undefined) return situation
  return { ...situation, calendar: await sightOf(calendars, names) }
}

async function sightOf(calendars: Calendars, names: readonly string[]): Promise<CalendarSight> {
  try {
    return { names, ...(await calendars.state(names)) }
  } catch (error) {
    if (!isRefusal(error)) throw error
    return { names, state: 'unread', refusal: `${error.code}: ${error.came}`.slice(0, LONGEST_REFUSAL) }
  }
}

const LONGEST_REFUSAL = 300
