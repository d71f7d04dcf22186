import type { Carried, Delivery } from './delivery-record.ts'
import {
  ageOf,
  askGate,
  type Fleet,
  fleetTrouble,
  type Gate,
  isConverged,
  later,
  missingOf,
  rollCallOf,
  type WaitsFor,
} from './gate.ts'
import { backOff, redeliveryTargets } from './redelivery.ts'
import type { RotationConfiguration } from './rotation-configuration.ts'
import { requestMark, tokenFor } from './tokens.ts'

/** Where Secrets Manager's staging labels are. Source: UpdateSecretVersionStage, DescribeSecret. */
export interface Labels {
  readonly current: string
  readonly previous?: string
  readonly pending?: string
}

/** What is, at one moment: all that a decision looks at. */
export interface Situation {
  readonly now: Date
  readonly labels: Labels
  /** Of the version that AWSCURRENT names; absent while the secret holds no ring. */
  readonly delivery?: Delivery
  readonly carried: Carried
  readonly fleet: Fleet
  /** Why this ring cannot be brought to the fleet in this invocation; absent unless that was tried. */
  readonly unreachable?: string
}

/** What somebody wants done. `reconcile` wants whatever is due. */
export type Intent =
  | { readonly action: 'reconcile' }
  | {
      readonly action: 'rotate'
      readonly manual: boolean
      readonly scheduledTime?: Date
      readonly token?: string
    }
  | { readonly action: 'deliver' }
  | { readonly action: 'revoke'; readonly token?: string }

/** What to do now, and why, in a sentence for the operator. */
export type Decision = { readonly reason: string } & (
  | Plain<'genesis' | 'revoke' | 'await' | 'judge' | 'rest'>
  | { readonly action: 'advance'; readonly forced: boolean }
  | { readonly action: 'deliver'; readonly to: 'all' | readonly string[] }
  | { readonly action: 'unlabel'; readonly label: 'AWSPREVIOUS' | 'AWSPENDING'; readonly version: string }
  | { readonly action: 'note-pending'; readonly version: string }
  | {
      readonly action: 'hold'
      readonly waitsFor: WaitsFor | 'operator'
      readonly until?: Date
      /** True where somebody should be woken: a rotation is due, or something is wrong. */
      readonly page: boolean
    }
)

type Plain<A extends string> = A extends string ? { readonly action: A } : never

/** An AWSPENDING this old belongs to nobody who is still working. */
const PENDING_LIFE = 30 * 60

/**
 * Decides one action from what is. Called again after each action until it says `hold` or `rest`, so that it can
 * be killed at any point and run again.
 */
export function decide(situation: Situation, intent: Intent, configuration: RotationConfiguration): Decision {
  const { delivery } = situation
  if (delivery === undefined) return decideUnborn(situation, intent)
  const known = { ...situation, delivery }
  return (
    spentToken(known, intent, configuration) ??
    revokeOnDemand(intent) ??
    duplicateRotation(known, intent) ??
    movedBack(known, configuration) ??
    stagedRevocation(known) ??
    abandonedPending(known) ??
    lastChance(known, intent, configuration) ??
    forcedAdvance(known, intent, configuration) ??
    revokedLeftover(known) ??
    converge(known, intent, configuration) ??
    tidy(known, configuration) ??
    dueRotation(known, intent, configuration) ?? {
      action: 'rest',
      reason: restReason(known),
    }
  )
}

type Known = Situation & { readonly delivery: Delivery }

function decideUnborn({ labels }: Situation, intent: Intent): Decision {
  if (intent.action === 'reconcile' || intent.action === 'rotate') {
    return { action: 'genesis', reason: `the secret holds no ring yet (version ${labels.current})` }
  }
  return {
    action: 'hold',
    waitsFor: 'operator',
    page: false,
    reason: `there is no ring yet to ${intent.action}: the next reconcile tick makes generation 1`,
  }
}

/** A client's retry: its token names a version that was committed. */
function spentToken(
  { delivery, carried, labels }: Known,
  intent: Intent,
  { secret }: RotationConfiguration,
): Decision | undefined {
  if ((intent.action !== 'rotate' && intent.action !== 'revoke') || intent.token === undefined)
    return undefined
  const origin = intent.action === 'rotate' ? 'advance' : 'revoke'
  const isCurrent = labels.current === tokenFor(origin, secret, delivery.parent, intent.token)
  const mark = requestMark(origin, intent.token)
  const remembered = carried.requests?.find(({ token }) => token === mark)
  if (!isCurrent && remembered === undefined) return undefined
  const generation = isCurrent ? delivery.generation : remembered?.generation
  return { action: 'rest', reason: `the token ${intent.token} made generation ${generation} before` }
}

function revokeOnDemand(intent: Intent): Decision | undefined {
  return intent.action === 'revoke' ? { action: 'revoke', reason: 'revoked on demand' } : undefined
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

/** Somebody moved AWSCURRENT back to an older ring: the machines refuse it, and rightly. */
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
  const { pending, current } = labels
  if (pending === undefined || pending === current || !isRevocation(pending)) return undefined
  return { action: 'revoke', reason: `the revocation ${pending} was staged and never committed` }
}

/**
 * Before a ring that is too old is replaced, the fleet is asked once: after a long silence of this function it may
 * never have been sent, and a machine that is sent only its successor refuses every ticket from before.
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
  return isUntried || step?.action === 'await' || step?.action === 'judge' ? step : undefined
}

function forcedAdvance(
  known: Known,
  intent: Intent,
  configuration: RotationConfiguration,
): Decision | undefined {
  const gate = gateOf(known, intent, configuration)
  return gate.open && gate.forced ? { action: 'advance', forced: true, reason: gate.reason } : undefined
}

/** A revoked ring must not stay readable under AWSPREVIOUS, converged or not. */
function revokedLeftover({ labels }: Known): Decision | undefined {
  if (!isRevocation(labels.current) || labels.previous === undefined) return undefined
  return {
    action: 'unlabel',
    label: 'AWSPREVIOUS',
    version: labels.previous,
    reason: 'the ring before the revocation must not stay readable',
  }
}

function converge(known: Known, intent: Intent, configuration: RotationConfiguration): Decision | undefined {
  const { delivery, fleet, carried } = known
  const last = delivery.commands.at(-1)
  if (last !== undefined && !last.judged) {
    return { action: 'await', reason: `command ${last.id} is under way` }
  }
  if (intent.action === 'deliver') return { action: 'deliver', to: 'all', reason: 'asked for by hand' }
  const trouble = fleetTrouble({ fleet, carried, target: configuration.target })
  if (delivery.attempts === 0 && mayReachSomebody(known)) {
    return { action: 'deliver', to: 'all', reason: missingOf(delivery) }
  }
  if (trouble !== undefined) return { action: 'hold', waitsFor: 'fleet', page: true, reason: trouble }
  if (delivery.membership !== rollCallOf(fleet))
    return { action: 'judge', reason: 'the roll call has changed' }
  return isConverged(delivery) ? undefined : redeliver(known, configuration)
}

/** A revocation does not wait for a roll call that nobody may read: its command goes by the tag. */
function mayReachSomebody({ fleet, delivery }: Known): boolean {
  return fleet.known ? fleet.members.length > 0 : isRevocation(delivery.version)
}

function redeliver(known: Known, { timing }: RotationConfiguration): Decision {
  const { delivery, now } = known
  const last = delivery.commands.at(-1)
  const due = later(last?.sentAt ?? now, backOff(delivery.attempts, delivery.version, timing.tick))
  const reason = missingOf(delivery)
  if (now >= due) return { action: 'deliver', to: redeliveryTargets(delivery), reason }
  const page = now >= later(delivery.rotatedAt, timing.every)
  return { action: 'hold', waitsFor: 'convergence', until: due, page, reason }
}

/** Erases what the labels still hold of the old ring, once nobody can need it. */
function tidy({ labels }: Known, { trigger }: RotationConfiguration): Decision | undefined {
  if (labels.previous !== undefined && labels.previous !== labels.current) {
    const reason = 'the fleet has converged: the old ring is erased as far as Secrets Manager lets one'
    return { action: 'unlabel', label: 'AWSPREVIOUS', version: labels.previous, reason }
  }
  const { pending } = labels
  if (pending !== labels.current || trigger === 'secrets-manager') return undefined
  return { action: 'unlabel', label: 'AWSPENDING', version: pending, reason: 'the rotation is complete' }
}

/**
 * An AWSPENDING that stays on another version than AWSCURRENT blocks every later rotation, converged or not: a refused
 * createSecret leaves it behind.
 */
function abandonedPending({ labels, carried, now }: Known): Decision | undefined {
  const { pending, current } = labels
  if (pending === undefined || pending === current) return undefined
  if (carried.pending?.version !== pending) {
    return {
      action: 'note-pending',
      version: pending,
      reason: `AWSPENDING is on ${pending}, not on AWSCURRENT`,
    }
  }
  if (now < later(carried.pending.since, PENDING_LIFE)) return undefined
  const since = carried.pending.since.toISOString()
  const reason = `AWSPENDING has been on ${pending} since ${since}, and nobody is working on it`
  return { action: 'unlabel', label: 'AWSPENDING', version: pending, reason }
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
  if (intent.action === 'rotate') return answerGate(gate, known, overdue)
  // A tick takes a rotation up only once its own trigger has evidently not.
  if (!overdue) return undefined
  return answerGate(gate, known, true, 'overdue: ')
}

function answerGate(gate: Gate, { labels }: Known, overdue: boolean, prefix = ''): Decision {
  if (!gate.open) {
    const { waitsFor, reason, until } = gate
    return { action: 'hold', waitsFor, reason, ...(until === undefined ? {} : { until }), page: overdue }
  }
  const { pending, current } = labels
  if (pending === undefined || pending === current || isOurs(pending)) {
    return { action: 'advance', forced: gate.forced, reason: prefix + gate.reason }
  }
  const reason =
    `AWSPENDING is on ${pending}, which somebody else left: it is taken off 30 minutes after it was ` +
    'first seen, or take it off by hand'
  return { action: 'hold', waitsFor: 'operator', page: overdue, reason }
}

function gateOf(known: Known, intent: Intent, { target, timing }: RotationConfiguration): Gate {
  return askGate({ ...known, target, timing, manual: intent.action === 'rotate' && intent.manual })
}

/** True if this version was made by this system, on whichever path: nobody else's work is lost by replacing it. */
function isOurs(version: string): boolean {
  return /^(genesis|advance|revoke)-/.test(version)
}

/** True if this version came from a revoke: its VersionId says so, so that a crash cannot lose it. */
export function isRevocation(version: string): boolean {
  return version.startsWith('revoke-')
}

function restReason({ delivery }: Known): string {
  const since = delivery.convergedAt?.toISOString() ?? 'never'
  const held = `all ${delivery.members} machines hold generation ${delivery.generation}`
  return delivery.members === 0 ? 'no machine has ever answered to the tag' : `${held} since ${since}`
}
