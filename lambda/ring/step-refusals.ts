/** Why a step of Secrets Manager is refused. */
import { TicketringError } from '../kernel/errors.ts'
import { calendarHold } from './calendar.ts'
import { pauseText } from './control.ts'
import type { Delivery } from './delivery-record.ts'
import { ageOf, askGate } from './gate.ts'
import { type Labels, stagedRevoke } from './labels.ts'
import type { RotationPorts } from './observation.ts'
import type { StepRequest } from './request.ts'
import { leaveOf } from './set-aside.ts'
import type { Situation } from './situation.ts'

/** A caller of RotateSecret asks the gate first; Secrets Manager's own schedule cannot. */
export function refuseClosedGate(
  { configuration }: RotationPorts,
  situation: Situation & { delivery: Delivery },
): void {
  const { target, timing, mode } = configuration
  const leave = leaveOf(situation, configuration)
  const gate = askGate({ ...situation, target, timing, leave, mode, manual: true })
  if (gate.open) return
  throw new TicketringError('rotation-held', {
    wanted: 'an open gate',
    came: gate.reason,
    fix: 'The reconcile tick takes the rotation up once the gate opens',
  })
}

/** An operator paused the ring: what was asked for before that is not committed after it. */
export function refuseDuringPause({ control }: Pick<Situation, 'control'>): void {
  if (control?.paused === undefined) return
  throw new TicketringError('rotation-held', {
    wanted: 'a ring that is not paused',
    came: pauseText(control.paused),
    fix: 'It goes on by itself when the pause ends; or have {"action":"resume"} end it',
  })
}

/** As for a tick: what is closed holds; what cannot be read holds until the keys are too old. */
export function refuseClosedCalendars(
  { configuration, clock }: RotationPorts,
  { calendar, delivery }: Situation,
): void {
  const isTooOld = delivery !== undefined && ageOf(delivery, clock.now()) >= configuration.timing.maxKeyAge
  const held = calendarHold(calendar, isTooOld)
  if (held === undefined) return
  throw new TicketringError('rotation-held', {
    wanted: 'open Change Calendars',
    came: held.reason,
    fix: 'The reconcile tick takes the rotation up once they are open',
  })
}

/** RotateSecret on a ring that waits to be adopted. */
export function refusePaused({ configuration }: RotationPorts): void {
  if (configuration.start !== 'paused') return
  throw new TicketringError('rotation-held', {
    wanted: 'a ring in the secret',
    came: 'none yet, and this ring starts paused',
    fix: 'Write one into the secret (npm run adopt), or invoke the function with {"action":"rotate"}',
  })
}

/** A revoke goes first: the next tick commits it. */
export function refuseBesideRevoke(labels: Labels): void {
  const staged = stagedRevoke(labels)
  if (staged === undefined) return
  throw new TicketringError('rotation-held', {
    wanted: 'no revoke under way',
    came: `the revoke ${staged}, staged and not committed`,
    fix: 'The next tick commits it; the rotation that follows starts from there',
  })
}

/** A new lineage ends every session: it begins by a revoke, not by Secrets Manager's schedule. */
export function refuseLost({ labels, lost }: Situation): void {
  if (lost === undefined) return
  throw new TicketringError('rotation-held', {
    wanted: 'a ring under AWSCURRENT',
    came: `{} in version ${labels.current}, though generation ${lost.generation} was delivered`,
    fix: 'Move AWSCURRENT back to the version that holds the ring, or revoke, which begins a new lineage',
  })
}

export function refuseOtherSecret({ configuration }: RotationPorts, { secret }: StepRequest): void {
  if (secret === configuration.secret) return
  throw new TicketringError('request-invalid', {
    wanted: `a step for ${configuration.secret}`,
    came: `one for ${secret.slice(0, 200)}`,
    fix: "Set this function as the rotation function of its own ring's secret only",
  })
}

export function notEnabled(): TicketringError {
  return new TicketringError('rotation-not-enabled', {
    wanted: 'a secret with rotation on',
    came: 'rotation off',
    fix: 'Deploy the ring with the trigger "secrets-manager"',
  })
}

export function unknownToken(token: string, came: string): TicketringError {
  return new TicketringError('token-unknown', { wanted: `AWSPENDING on ${token.slice(0, 64)}`, came })
}
