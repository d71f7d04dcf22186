/** What an operator asks to be set, as a change of what is set. */
import type { Fleet } from '../fleet/membership.ts'
import { TicketringError } from '../kernel/errors.ts'
import { nearestName } from '../kernel/nearest-name.ts'
import { later } from '../kernel/time.ts'
import { type Control, pauseText, type SetUntil } from './control.ts'
import type { ActionRequest, ControlRequest } from './request.ts'
import { rolledBackText } from './rollback.ts'
import { mostQuarantined } from './set-aside.ts'

const SOMEBODY = 'an operator'

export interface ControlChange {
  /** Made again where another operator came in between. */
  readonly apply: (before: Control) => Control
  readonly told: string
}

/** What a change is measured by. */
export interface Settable {
  readonly control: Control
  readonly fleet: Fleet
  readonly now: Date
  /** The name of the document that would be sent now. */
  readonly document: string
}

/** @throws TicketringError `request-invalid` for a machine that is not there, or one more than may be set aside. */
export function changeOf(
  request: ControlRequest,
  { control: before, fleet, now, document }: Settable,
): ControlChange {
  switch (request.action) {
    case 'pause': {
      const paused = setBy(request, now)
      return { apply: (control) => ({ ...control, paused }), told: pauseText(paused) }
    }
    case 'resume': {
      const told =
        before.paused === undefined ? 'it was not paused' : `resumed: it was ${pauseText(before.paused)}`
      return { apply: ({ paused: _, ...others }) => others, told }
    }
    case 'quarantine':
      return setAside(request, before, fleet, now)
    case 'release':
      return release(request.instance ?? '', before)
    case 'rollback':
      return rollBack(request, before, document)
  }
}

function rollBack(
  { undo, reason = '', by = SOMEBODY }: ActionRequest,
  before: Control,
  document: string,
): ControlChange {
  if (undo === true) {
    const told =
      before.rolledBack === undefined
        ? 'nothing was rolled back'
        : `no longer: ${rolledBackText(before.rolledBack)}`
    return { apply: ({ rolledBack: _, ...others }) => others, told }
  }
  const rolledBack = { document, reason, by }
  return { apply: (control) => ({ ...control, rolledBack }), told: rolledBackText(rolledBack) }
}

function setAside(request: ActionRequest, before: Control, fleet: Fleet, now: Date): ControlChange {
  const { instance = '' } = request
  const entry = { instance, ...setBy(request, now) }
  requireRoom(without(before, instance).quarantine.length, requireMember(instance, fleet))
  return {
    apply: (control) => ({ ...control, quarantine: [...without(control, instance).quarantine, entry] }),
    told: `${instance} is set aside until ${entry.until.toISOString()} by ${entry.by}: ${entry.reason}`,
  }
}

function release(instance: string, before: Control): ControlChange {
  const known = before.quarantine.map((each) => each.instance)
  if (!known.includes(instance)) {
    const came =
      known.length === 0 ? `${instance}, and none is` : `${instance}; set aside is ${known.join(', ')}`
    throw refused('a machine that is set aside', came, meant(instance, known) ?? 'Nothing to do')
  }
  return { apply: (control) => without(control, instance), told: `${instance} counts again` }
}

function without(control: Control, instance: string): Control {
  return { ...control, quarantine: control.quarantine.filter((each) => each.instance !== instance) }
}

function setBy({ seconds = 0, reason = '', by }: ActionRequest, now: Date): SetUntil {
  return { until: later(now, seconds), reason, by: by ?? SOMEBODY }
}

/** @returns how many machines there are. */
function requireMember(instance: string, fleet: Fleet): number {
  if (!fleet.known)
    throw refused(
      'the roll call, to see that the machine is there',
      fleet.refusal,
      'Ask again when it can be read',
    )
  const ids = fleet.members.map(({ id }) => id)
  if (ids.includes(instance)) return ids.length
  const fix =
    meant(instance, ids) ?? "Name a machine that has the ring's tag, as status and Systems Manager name it"
  throw refused(`one of the ${ids.length} machines of the roll call`, instance, fix)
}

function requireRoom(others: number, members: number): void {
  const most = mostQuarantined(members)
  if (others < most) return
  const wanted = `${most} of ${members} machines set aside at the most, a tenth`
  throw refused(
    wanted,
    `${others} that are, and one more`,
    'Release one, or take the tag off machines that are gone',
  )
}

function meant(name: string, known: readonly string[]): string | undefined {
  const nearest = nearestName(name, known)
  return nearest === undefined ? undefined : `Did you mean ${nearest}?`
}

function refused(wanted: string, came: string, fix: string): TicketringError {
  return new TicketringError('request-invalid', { wanted, came, fix })
}
