import { noteSize } from '../fleet/convergence.ts'
import { allMachines, counted } from '../kernel/count.ts'
import { later } from '../kernel/time.ts'
import { promoteByHand } from './canary.ts'
import type { RotationConfiguration } from './configuration.ts'
import { converge } from './delivery-decision.ts'
import { ageOf, askGate, type Gate, missingOf, type WaitsFor } from './gate.ts'
import { stagedRevoke } from './labels.ts'
import { leaveOf } from './set-aside.ts'
import type { Decision, Intent, Known, Situation } from './situation.ts'
import { abandonedPending, labelOnRevoked, staleLabel } from './stale-labels.ts'
import { decideUnborn } from './uninitialised.ts'

/**
 * Decides one action from what is. Called again after each action until it says `hold` or `rest`, so that it can
 * be killed at any point and run again.
 */
export function decide(situation: Situation, intent: Intent, configuration: RotationConfiguration): Decision {
  const { delivery } = situation
  if (delivery === undefined) return decideUnborn(situation, intent, configuration)
  const known = { ...situation, delivery }
  return (
    revokeOnDemand(known, intent) ??
    promoteOnDemand(known, intent, configuration) ??
    duplicateRotation(known, intent) ??
    stagedRevocation(known) ??
    labelOnRevoked(known) ??
    movedBack(known, configuration) ??
    abandonedPending(known) ??
    lastChance(known, intent, configuration) ??
    forcedAdvance(known, intent, configuration) ??
    ungatedAdvance(known, intent, configuration) ??
    converge(known, intent, configuration) ??
    staleLabel(known, configuration) ??
    dueRotation(known, intent, configuration) ??
    noteSize(known) ?? {
      action: 'rest',
      reason: restReason(known),
    }
  )
}

function revokeOnDemand({ delivery, fleet }: Known, intent: Intent): Decision | undefined {
  if (intent.action !== 'revoke') return undefined
  const { generation, encryptsWith, rotatedAt } = delivery
  const machines = fleet.known
    ? counted(fleet.members.length, 'machine')
    : 'all machines of its tag (the roll call was refused)'
  const reason =
    `asked for: it replaces all three keys of generation ${generation}, which encrypts with ${encryptsWith} since ` +
    `${rotatedAt.toISOString()}, on ${machines}`
  return { action: 'revoke', reason }
}

function promoteOnDemand(
  known: Known,
  intent: Intent,
  configuration: RotationConfiguration,
): Decision | undefined {
  return intent.action === 'promote' ? promoteByHand(known, configuration) : undefined
}

/** Scheduler delivers at least once: an event from before the last rotation has had its effect. */
function duplicateRotation({ delivery }: Known, intent: Intent): Decision | undefined {
  if (intent.action !== 'rotate' || intent.scheduledTime === undefined) return undefined
  if (intent.scheduledTime > delivery.rotatedAt) return undefined
  const rotated = delivery.rotatedAt.toISOString()
  return {
    action: 'rest',
    reason: `scheduled for ${intent.scheduledTime.toISOString()}, and the ring was last rotated at ${rotated}`,
  }
}

/** An operator moved AWSCURRENT back to an older ring: the machines refuse it, and rightly. */
function movedBack(
  { delivery, carried, now }: Known,
  { timing }: RotationConfiguration,
): Decision | undefined {
  const { highest } = carried
  if (highest === undefined || highest.lineage !== delivery.lineage) return undefined
  if (highest.generation <= delivery.generation || ageOf(delivery, now) >= timing.maxKeyAge) return undefined
  return {
    action: 'hold',
    waitsFor: 'operator',
    page: true,
    reason:
      `AWSCURRENT names generation ${delivery.generation}, but generation ${highest.generation} was delivered: ` +
      'it was moved back by hand. Move it forward again, or revoke',
  }
}

/** A revoke that was killed between staging and commit: it was asked for, so it happens. */
function stagedRevocation({ labels }: Known): Decision | undefined {
  const staged = stagedRevoke(labels)
  if (staged === undefined) return undefined
  return { action: 'revoke', reason: `the revocation ${staged} was staged and is not committed` }
}

/**
 * Before a ring that is too old is replaced, the fleet is asked once: after a long silence of this function it may
 * never have been sent, and then its successor would encrypt with a key that no machine was given before.
 */
function lastChance(
  known: Known,
  intent: Intent,
  configuration: RotationConfiguration,
): Decision | undefined {
  if (known.unreachable !== undefined || forcedAdvance(known, intent, configuration) === undefined)
    return undefined
  const step = converge(known, intent, configuration)
  const isUntried = step?.action === 'deliver' && known.delivery.attempts === 0
  return isUntried || step?.action === 'promote' || step?.action === 'await' || step?.action === 'judge'
    ? step
    : undefined
}

function forcedAdvance(
  known: Known,
  intent: Intent,
  configuration: RotationConfiguration,
): Decision | undefined {
  const gate = gateOf(known, intent, configuration)
  return gate.open && gate.forced ? { action: 'advance', forced: true, reason: gate.reason } : undefined
}

/** Of machines that only look, none is waited for. */
function ungatedAdvance(
  known: Known,
  intent: Intent,
  configuration: RotationConfiguration,
): Decision | undefined {
  const due = configuration.mode === 'observe' ? dueRotation(known, intent, configuration) : undefined
  return due?.action === 'advance' ? due : undefined
}

function dueRotation(
  known: Known,
  intent: Intent,
  configuration: RotationConfiguration,
): Decision | undefined {
  const gate = gateOf(known, intent, configuration)
  const { every, tick, window } = configuration.timing
  // Secrets Manager may come at any time of its window; EventBridge Scheduler comes once in its own.
  const latest = configuration.trigger === 'secrets-manager' ? every + window : every
  const overdue = known.now >= later(known.delivery.rotatedAt, latest + tick)
  const lateness = { overdue, isTooOld: ageOf(known.delivery, known.now) >= configuration.timing.maxKeyAge }
  if (intent.action === 'rotate') return answerGate(gate, known, lateness)
  // A tick takes a rotation up only once its own trigger has evidently not.
  if (!overdue) return undefined
  return answerGate(gate, known, lateness, 'overdue: ')
}

interface Lateness {
  readonly overdue: boolean
  /** Past maxKeyAge: the one thing that an operator who paused the ring is paged for. */
  readonly isTooOld: boolean
}

/** What an operator holds (a pause, a calendar, mode observe) pages only once the keys are too old. */
const BY_INTENT: readonly WaitsFor[] = ['pause', 'calendar', 'enforcement']

function answerGate(gate: Gate, { labels }: Known, { overdue, isTooOld }: Lateness, prefix = ''): Decision {
  if (!gate.open) {
    const { waitsFor, reason, until } = gate
    const page = BY_INTENT.includes(waitsFor) ? isTooOld : overdue
    return { action: 'hold', waitsFor, reason, ...(until === undefined ? {} : { until }), page }
  }
  const { pending, current } = labels
  if (pending === undefined || pending === current || isOurs(pending)) {
    return { action: 'advance', forced: gate.forced, reason: prefix + gate.reason }
  }
  const reason =
    `AWSPENDING is on ${pending}, which another rotation left: it is taken off 30 minutes after it was ` +
    'first seen, or take it off by hand'
  return { action: 'hold', waitsFor: 'operator', page: overdue, reason }
}

function gateOf(known: Known, intent: Intent, configuration: RotationConfiguration): Gate {
  const { target, timing, mode } = configuration
  const leave = leaveOf(known, configuration)
  return askGate({
    ...known,
    target,
    timing,
    leave,
    mode,
    manual: intent.action === 'rotate' && intent.manual,
  })
}

/** True if this version was made by this system, on whichever path: no other work is lost by replacing it. */
function isOurs(version: string): boolean {
  return /^(genesis|advance|revoke)-/.test(version)
}

function restReason({ delivery }: Known): string {
  const since = delivery.convergedAt?.toISOString() ?? 'never'
  if (delivery.confirmed < delivery.members)
    return `${missingOf(delivery)}; who is missing is not waited for, since ${since}`
  const have = delivery.mode === 'observe' ? 'would take' : 'hold'
  const held = `${allMachines(delivery.members, have)} generation ${delivery.generation}`
  return delivery.members === 0 ? 'no machine has ever answered to the tag' : `${held} since ${since}`
}
