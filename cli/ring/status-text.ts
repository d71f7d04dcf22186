import { counted } from '../../lambda/kernel/count.ts'
import type { Answer } from '../../lambda/ring/answer.ts'

/** How a ring stands, as an operator reads it. */
export type State = 'healthy' | 'no ring' | 'no machines' | 'degraded' | 'held' | 'auth-bypass'

export function stateOf(answer: Answer): State {
  const { fleet, generation } = answer
  if (generation === undefined || fleet === undefined) return 'no ring'
  if (fleet.authBypass !== undefined) return 'auth-bypass'
  if (answer.forcedAt !== undefined && answer.asOf > answer.forcedAt) return 'held'
  if (fleet.members === 0 && fleet.now?.members === 0) return 'no machines'
  return isProvedByAll(fleet) ? 'healthy' : 'degraded'
}

/** By every machine that the roll call of now has: a record of fewer or of others proves nothing of these. */
function isProvedByAll({ members, confirmed, stragglers, now }: NonNullable<Answer['fleet']>): boolean {
  return confirmed >= members && stragglers.length === 0 && now?.members === members
}

/** One line where all is well; otherwise what is wrong, machine by machine, and what to type next. */
export function statusText(answer: Answer): string {
  const state = stateOf(answer)
  if (state === 'healthy') return healthyLine(answer)
  const lines = [
    headOf(answer, state),
    ...factsOf(answer),
    ...stragglersOf(answer),
    ...nextSteps(answer, state),
  ]
  return lines.join('\n')
}

function healthyLine({
  ring,
  generation,
  encryptsWith = '',
  fleet,
  asOf,
  dueAt,
  convergedAt,
}: Answer): string {
  const proved = fleet?.judgedAt ?? convergedAt
  const parts = [
    `${ring}: generation ${generation}, ${machinesOf(fleet?.members ?? 0)} encrypt with ${encryptsWith.slice(0, 8)}…`,
    ...(proved === undefined ? [] : [`last proved ${ago(proved, asOf)}`]),
    ...(dueAt === undefined
      ? []
      : [dueAt > asOf ? `next rotation in ${span(asOf, dueAt)}` : 'the next rotation is due']),
  ]
  return parts.join(', ')
}

function headOf(
  { ring, generation, fleet, encryptsWith = '', rotatedAt, asOf }: Answer,
  state: State,
): string {
  if (generation === undefined || fleet === undefined) return `${ring}: NO RING yet`
  const { confirmed, members } = fleet
  const since = rotatedAt === undefined ? '' : `, made ${ago(rotatedAt, asOf)}`
  return `${ring}: ${state.toUpperCase()}: generation ${generation} (${encryptsWith})${since}, proved by ${confirmed} of ${counted(members, 'machine')}`
}

function factsOf({ decision, dueAt, forcedAt, asOf, fleet, exposure }: Answer): string[] {
  const until = decision.until === undefined ? '' : `, until ${decision.until}`
  return [
    `  now: ${decision.action}: ${decision.reason}${until}`,
    ...(dueAt === undefined || forcedAt === undefined
      ? []
      : [`  due ${when(dueAt, asOf)}; forced, though machines are missing, ${when(forcedAt, asOf)}`]),
    ...(exposure === undefined
      ? []
      : [`  a stolen ring reads sessions from ${exposure.readsFrom} to ${exposure.readsTo}`]),
    ...(fleet?.judgedAt === undefined
      ? []
      : [`  last judged ${ago(fleet.judgedAt, asOf)}${onlineOf(fleet.now)}`]),
  ]
}

function onlineOf(now: NonNullable<Answer['fleet']>['now']): string {
  return now === undefined
    ? '; who is there now could not be read'
    : `; online now ${now.online} of ${now.members}`
}

/** Never cut: an operator has to act on each. */
function stragglersOf({ fleet }: Answer): string[] {
  if (fleet === undefined) return []
  const told = fleet.stragglers.flatMap(({ id, reason, fix }) => [
    `  ${id}  ${reason}`,
    ...(fix === undefined ? [] : [`    ${fix}`]),
  ])
  const more = fleet.members - fleet.confirmed - fleet.stragglers.length
  return more > 0 ? [...told, `  and ${counted(more, 'machine')} more: the function's log names each`] : told
}

const RUNBOOK: Readonly<Record<State, string>> = {
  healthy: '',
  'no ring': '',
  'no machines': '',
  degraded: 'stragglers',
  held: 'rotation-held',
  'auth-bypass': 'auth-bypass',
}

function nextSteps({ ring }: Answer, state: State): string[] {
  if (state === 'no ring')
    return [`  next: the first tick makes it, unless the ring starts paused: ticketring rotate ${ring}`]
  if (state === 'no machines')
    return ['  next: compare the tag and its values on the machines with `targets` of the ring']
  return [`  next: ticketring deliver ${ring}   (docs/runbook.md#${RUNBOOK[state]})`]
}

function machinesOf(count: number): string {
  return count === 1 ? 'the one machine' : `all ${count.toLocaleString('en-US')} machines`
}

function when(time: string, now: string): string {
  return time > now ? `in ${span(now, time)}` : ago(time, now)
}

function ago(time: string, now: string): string {
  return `${span(time, now)} ago`
}

/** The two largest units: 2 h 10 min. @param from, to ISO 8601. */
function span(from: string, to: string): string {
  const seconds = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d`
}
