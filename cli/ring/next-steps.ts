import type { Answer } from '../../lambda/ring/answer.ts'
import { isProvedByAll, type State, wouldAllTake } from './state.ts'

type Unwell = Exclude<State, 'healthy'>

const RUNBOOK: Readonly<Record<Unwell, string>> = {
  observing: 'docs/first-machine.md',
  'no ring': 'docs/runbook.md#rotation-held',
  'no machines': 'docs/first-machine.md',
  degraded: 'docs/runbook.md#stragglers',
  held: 'docs/runbook.md#rotation-held',
  overdue: 'docs/runbook.md#key-age',
  paused: 'docs/runbook.md#rotation-held',
  revoked: 'docs/runbook.md#stragglers',
  'control invalid': 'docs/runbook.md#control-invalid',
  'auth-bypass': 'docs/runbook.md#auth-bypass',
  canary: 'docs/runbook.md#canary-failed',
}

/** What to type next of a ring that is not well, each on a line, and where the last is explained. */
export function nextSteps(answer: Answer, state: Unwell): string[] {
  const topic = answer.canary?.held && (state === 'held' || state === 'degraded') ? 'canary' : state
  const lines = stepsOf(answer, topic).map((step) => `  next: ${step}`)
  return [...lines.slice(0, -1), `${lines.at(-1)}   (${RUNBOOK[topic]})`]
}

function stepsOf(answer: Answer, state: Unwell): readonly string[] {
  const { ring } = answer
  switch (state) {
    case 'observing':
      return wouldAllTake(answer)
        ? [`"mode": "enforce" for ${ring} in cdk.json, then deploy`]
        : [`mend what is named, then ticketring deliver ${ring}`]
    case 'no ring':
      return [unbornStep(answer)]
    case 'no machines':
      return ['compare the tag and its values on the machines with `targets` of the ring']
    case 'auth-bypass':
      return [`close one of the two listeners or give it keys of its own, then ticketring deliver ${ring}`]
    case 'control invalid':
      return [`write /ticketring/${ring}/control anew`, ...machineSteps(answer)]
    case 'paused':
      return [`ticketring resume ${ring}`, ...machineSteps(answer)]
    case 'held':
      return heldSteps(answer)
    case 'overdue':
      return [`see its schedules and its log; ticketring rotate ${ring} shows its error`]
    case 'canary':
      return [
        `nothing, once it soaks; else mend it, then ticketring deliver ${ring}; or ticketring promote ${ring}`,
      ]
    case 'degraded':
    case 'revoked':
      return [deliverStep(answer)]
  }
}

/** Whatever else is wrong, a machine that lacks the ring is mended for itself. */
function machineSteps(answer: Answer): readonly string[] {
  const { fleet, canary } = answer
  if (canary?.held) return stepsOf(answer, 'canary')
  return fleet === undefined || isProvedByAll(fleet) ? [] : [deliverStep(answer)]
}

function deliverStep({ ring, fleet }: Answer): string {
  const { members = 0, online } = fleet?.now ?? {}
  const deliver = `ticketring deliver ${ring}`
  return members > 0 && online === 0 ? `see why no machine is online, then ${deliver}` : deliver
}

function heldSteps(answer: Answer): readonly string[] {
  const { ring, calendars, decision } = answer
  const byCalendar =
    calendars === undefined || calendars.state === 'open' ? [] : [CALENDAR_STEPS[calendars.state]]
  const steps = [...byCalendar, ...machineSteps(answer)]
  if (decision.waitsFor === 'fleet')
    return [
      ...byCalendar,
      `see who has left; of a fleet made smaller on purpose ticketring deliver ${ring} --reason TEXT`,
    ]
  if (decision.waitsFor === 'operator') return [...byCalendar, AS_SAID]
  return steps.length > 0 ? steps : ['nothing: it goes on by itself']
}

/** While AWSCURRENT holds no ring; where one is lost, nothing that is typed here may begin another. */
function unbornStep(answer: Answer): string {
  const { ring, paused, decision } = answer
  if (paused !== undefined) return `ticketring resume ${ring}`
  if (decision.waitsFor === 'calendar') return CALENDAR_STEPS.closed
  if (decision.waitsFor === 'unread-calendar') return CALENDAR_STEPS.unread
  return decision.action === 'hold' ? AS_SAID : 'nothing: the next tick makes it'
}

const AS_SAID = 'what is said above'

const CALENDAR_STEPS = {
  closed: 'nothing: it goes on once the calendar opens; a revoke does not wait',
  unread: 'mend `rotation.calendars` or the way to them, then deploy',
} as const
