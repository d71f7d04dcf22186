import { counted } from '../../lambda/kernel/count.ts'
import type { Answer } from '../../lambda/ring/answer.ts'
import { ago, span, when } from './elapsed.ts'
import { nextSteps } from './next-steps.ts'
import type { Placed } from './placed.ts'
import { type State, stateOf } from './state.ts'
import { stragglerLines } from './straggler-lines.ts'

/** One line where all is well; otherwise what is wrong, machine by machine, and what to type next. */
export function statusText(answer: Placed): string {
  const state = stateOf(answer)
  if (state === 'healthy') return healthyLine(answer)
  const lines = [
    headOf(answer, state),
    ...controlLines(answer),
    ...canaryLines(answer),
    ...factsOf(answer),
    ...stragglerLines(answer),
    ...(answer.proof === undefined ? [] : proofLines(answer.proof)),
    ...(state === 'overdue' ? [OVERDUE] : []),
    ...nextSteps(answer, state),
  ]
  return lines.join('\n')
}

const OVERDUE = '  the rotation function does not run: nothing holds the rotation, and no tick has made it'

function healthyLine({
  ring,
  generation,
  encryptsWith = '',
  fleet,
  asOf,
  dueAt,
  convergedAt,
  rotatedAt,
  proof,
  calendars,
  rolledBack,
  quarantine = [],
}: Answer): string {
  const proved = fleet?.judgedAt ?? convergedAt
  const parts = [
    `${ring}: generation ${generation}, ${machinesOf(fleet?.members ?? 0)} with ${encryptsWith.slice(0, 8)}…`,
    ...(proof === undefined || rotatedAt === undefined
      ? []
      : [`revoked ${ago(rotatedAt, asOf)}, and all refuse tickets from before`]),
    ...(proved === undefined ? [] : [`last proved ${ago(proved, asOf)}`]),
    ...(dueAt === undefined
      ? []
      : [dueAt > asOf ? `next rotation in ${span(asOf, dueAt)}` : 'the next rotation is due']),
    ...calendarPart(calendars, asOf),
    ...(rolledBack === undefined
      ? []
      : [`the last deploy is rolled back by ${rolledBack.by}: ${rolledBack.reason}`]),
    ...(quarantine.length === 0 ? [] : [`${counted(quarantine.length, 'machine')} set aside`]),
  ]
  return parts.join(', ')
}

/** What will hold that rotation, unless it changes before. */
function calendarPart(calendars: Answer['calendars'], asOf: string): string[] {
  if (calendars === undefined || calendars.state === 'open') return []
  const { names, state, until } = calendars
  const end = until === undefined ? '' : ` until ${until} (${when(until, asOf)})`
  return [`calendar ${names.join(', ')} ${state === 'unread' ? 'cannot be read' : `closed${end}`}`]
}

function headOf(
  { ring, generation, fleet, encryptsWith = '', rotatedAt, asOf }: Answer,
  state: State,
): string {
  if (generation === undefined || fleet === undefined) return `${ring}: NO RING on record yet`
  const { confirmed, members, observed } = fleet
  const machines = counted(members, 'machine')
  const since = rotatedAt === undefined ? '' : `, made ${ago(rotatedAt, asOf)}`
  const head = `${ring}: ${state.toUpperCase()}: generation ${generation}`
  const made = `${head} (${encryptsWith})${since}`
  // Until a command was sent, or its roll call could be read.
  if (members === 0 && fleet.judgedAt === undefined && state !== 'no machines')
    return `${made}, delivered to no machine yet${onlineOf(fleet.now)}`
  return observed === undefined
    ? `${head}${since}, ${confirmed} of ${machines} encrypt with ${encryptsWith}`
    : `${made}, ${observed} of ${machines} would take it, none is to load it`
}

function controlLines(answer: Answer): string[] {
  const { paused, rolledBack, controlProblem, asOf } = answer
  return [
    ...(paused === undefined
      ? []
      : [`  paused until ${paused.until} (${when(paused.until, asOf)}) by ${paused.by}: ${paused.reason}`]),
    ...(rolledBack === undefined
      ? []
      : [
          `  the last deploy is rolled back (${rolledBack.document}) by ${rolledBack.by}: ${rolledBack.reason}`,
        ]),
    ...(controlProblem === undefined ? [] : [`  what was set before counts: ${controlProblem}`]),
    ...quarantineLines(answer).map((line) => `  ${line}`),
  ]
}

function canaryLines({ canary, asOf }: Answer): string[] {
  if (canary === undefined) return []
  const { held, machines, soaksUntil, documentPassed, document, passed = 'none' } = canary
  const who = machines === undefined ? 'its machines could not be read' : machines.join(', ') || 'no machine'
  const soak =
    soaksUntil === undefined
      ? 'not proved yet'
      : `proved, soaks until ${soaksUntil} (${when(soaksUntil, asOf)})`
  return [
    ...(held
      ? [`  canary: ${who}: ${soak}; the others stay on the generation before, which costs nothing`]
      : []),
    ...(held || documentPassed
      ? []
      : [
          `  the document of the last deploy has not passed the canary (${who}): the others keep their program`,
        ]),
    ...(documentPassed
      ? []
      : [`  document on its way: ${document}`, `  document that passed the canary last: ${passed}`]),
  ]
}

/** Each machine that is set aside, and until when. */
export function quarantineLines({ quarantine = [], asOf }: Answer): string[] {
  return quarantine.map(
    ({ instance, until, by, reason }) =>
      `${instance} is set aside until ${until} (${when(until, asOf)}) by ${by}: ${reason}`,
  )
}

/** Who refuses tickets of before a revoke, and, with the command that keeps clients from it, who does not. */
function proofLines({ refused, stillAccepting, unproven }: NonNullable<Answer['proof']>): string[] {
  return [
    `  ${refused} refuse tickets from before, ${unproven} have not proved it`,
    ...stillAccepting.flatMap((id) => [
      `  STILL ACCEPTS OLD TICKETS: ${id}`,
      `    aws elbv2 deregister-targets --target-group-arn <its target group> --targets Id=${targetOf(id)}`,
    ]),
  ]
}

/** A hybrid machine is no instance of EC2: it is in a target group of addresses. */
function targetOf(id: string): string {
  return id.startsWith('mi-') ? '<its address>' : id
}

function factsOf({ decision, dueAt, forcedAt, asOf, fleet, exposure, paused, calendars }: Answer): string[] {
  const until = decision.until === undefined ? '' : `, until ${decision.until}`
  return [
    `  now: ${decision.action}: ${decision.reason}${until}`,
    ...(dueAt === undefined || forcedAt === undefined
      ? []
      : [
          `  due ${when(dueAt, asOf)}; ${forcedText(forcedAt, asOf, paused !== undefined || calendars?.state === 'closed')}`,
        ]),
    ...(exposure === undefined
      ? []
      : [`  a stolen ring reads sessions from ${exposure.readsFrom} to ${exposure.readsTo}`]),
    ...(fleet?.judgedAt === undefined
      ? []
      : [`  last proved ${ago(fleet.judgedAt, asOf)}${onlineOf(fleet.now)}`]),
    ...(fleet === undefined ? [] : releasesOf(fleet)),
  ]
}

/** A pause and a closed calendar hold up what maxKeyAge would force. */
function forcedText(forcedAt: string, asOf: string, isWanted: boolean): string {
  return `${isWanted ? 'too old, and paging,' : 'forced, though machines are missing,'} ${when(forcedAt, asOf)}`
}

function releasesOf({ releases = [], programs = [] }: NonNullable<Answer['fleet']>): string[] {
  const servers = releases.map(({ server, version, machines }) => `${server} ${version} on ${machines}`)
  const own = programs.map(({ version, machines }) => `${version} on ${machines}`)
  return [
    ...(servers.length === 0 ? [] : [`  releases: ${servers.join(', ')}`]),
    ...(own.length === 0 ? [] : [`  programs: ${own.join(', ')}`]),
  ]
}

function onlineOf(now: NonNullable<Answer['fleet']>['now']): string {
  return now === undefined
    ? '; who is there now could not be read'
    : `; online now ${now.online} of ${now.members}`
}

function machinesOf(count: number): string {
  return count === 1 ? 'the one machine encrypts' : `all ${count.toLocaleString('en-US')} machines encrypt`
}
