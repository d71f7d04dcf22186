import { laggingIn } from '../fleet/awaited.ts'
import { HELD } from '../fleet/cause.ts'
import { countFailedBy, failedBy, type ToldStraggler, withFix } from '../fleet/instance-remedies.ts'
import { countOf } from '../fleet/membership.ts'
import type { ProgramVersion, Release } from '../fleet/releases.ts'
import type { CalendarSight } from './calendar.ts'
import type { RotationConfiguration } from './configuration.ts'
import type { Control, Quarantine, RolledBack, SetUntil } from './control.ts'
import type { Delivery, OldProcess } from './delivery-record.ts'
import { INSTANCE_REMEDIES } from './instance-remedies.ts'
import type { RotationPorts } from './observation.ts'
import { type Exposure, exposureOf, outlookOf } from './outlook.ts'
import type { Action, ActionRequest } from './request.ts'
import { leaveOf } from './set-aside.ts'
import { type Decision, isRevocation, type Known, type Situation } from './situation.ts'
import { type ToldCanary, toldCanary } from './told-canary.ts'

/** What a manual or scheduled invocation answers, as JSON. No key material. */
export interface Answer {
  readonly action: Action
  readonly ring: string
  /** Its machines look and load nothing. */
  readonly mode?: 'observe'
  /** The last decision, or, of a reading action, the one that would be taken now. */
  readonly decision: {
    readonly action: Decision['action']
    readonly reason: string
    readonly until?: string
    /** Of a hold. */
    readonly waitsFor?: Extract<Decision, { action: 'hold' }>['waitsFor']
  }
  /** When the labels, the record and the roll call were looked at. */
  readonly asOf: string
  /** What was done before that, in order. */
  readonly did: readonly string[]
  readonly generation?: number
  readonly lineage?: string
  /** VersionId that AWSCURRENT names. */
  readonly version?: string
  /** Name of the `current` key. */
  readonly encryptsWith?: string
  readonly rotatedAt?: string
  /** From when on the next rotation is due, as far as time alone decides. */
  readonly dueAt?: string
  /** When it comes though machines are missing. */
  readonly forcedAt?: string
  readonly convergedAt?: string
  /** As the delivery record has it: of `judgedAt`, and not of now. */
  readonly fleet?: {
    readonly judgedAt?: string
    readonly members: number
    readonly confirmed: number
    /** Of a ring that is only looked at, how many would take it; the stragglers are those that would not, or did not say. */
    readonly observed?: number
    readonly stragglers: readonly ToldStraggler[]
    /** How many of those that confirmed run which release of their server, as they told. */
    readonly releases?: readonly Release[]
    /** How many of them answered by which version of the machines' program: the first 12 hex digits of its SHA-256. */
    readonly programs?: readonly ProgramVersion[]
    /** How often machines had drifted and were put right, as the commands of this generation told. */
    readonly drifted?: number
    /** Those of them where a ticket of an open listener opened a guarded one. */
    readonly authBypass?: readonly string[]
    /** Those of them that serve with keys of their own, since they cannot fetch the ring. */
    readonly localRing?: readonly string[]
    /** The oldest process that held keys which the ring no longer has, when its machine confirmed. */
    readonly oldProcess?: Serialised<OldProcess>
    /** Machines that are behind and that Systems Manager has lost: no rotation waits for them, and what clients bring them is lost two generations on. */
    readonly lagging?: readonly string[]
    /** The roll call of now. */
    readonly now?: { readonly members: number; readonly online: number }
  }
  /** How far the canary has got, where one is configured. */
  readonly canary?: ToldCanary
  /** Until when no generation is made but by a revoke, and why. */
  readonly paused?: Serialised<SetUntil>
  /** A document that machines were told to go back from: until another one is deployed. */
  readonly rolledBack?: RolledBack
  /** Machines that hold no rotation up, until when and why. */
  readonly quarantine?: readonly Serialised<Quarantine>[]
  /** Why the control parameter of now is not what counts, but the last sound version of it. */
  readonly controlProblem?: string
  /** What Change Calendars say, where they were asked: together, as Systems Manager answers. */
  readonly calendars?: {
    readonly names: readonly string[]
    readonly state: CalendarSight['state']
    /** When that changes next. */
    readonly until?: string
    /** Why it cannot be read. */
    readonly problem?: string
  }
  /** Of `status`: what a thief of the ring could read now. */
  readonly exposure?: Serialised<Exposure>
  /** Of a revoke: who proved that a ticket taken before is refused after, and who still accepts it. */
  readonly proof?: {
    readonly refused: number
    readonly stillAccepting: readonly string[]
    readonly unproven: number
  }
}

/** A value with its times in ISO 8601. */
type Serialised<T> = { readonly [Name in keyof T]: T[Name] extends Date ? string : T[Name] }

/** What an invocation comes to. */
export function answer(
  { configuration }: Pick<RotationPorts, 'configuration'>,
  { action, dryRun }: ActionRequest,
  situation: Situation,
  decision: Decision,
  did: readonly string[],
): Answer {
  const { delivery, labels, now } = situation
  const { until, waitsFor } = decision.action === 'hold' ? decision : {}
  const head = {
    action,
    ring: configuration.ring,
    ...(configuration.mode === 'observe' ? { mode: configuration.mode } : {}),
    decision: {
      action: decision.action,
      reason: decision.reason,
      ...(until === undefined ? {} : { until: until.toISOString() }),
      ...(waitsFor === undefined ? {} : { waitsFor }),
    },
    asOf: now.toISOString(),
    did,
    ...controlIn(situation),
    ...calendarsIn(situation),
    version: labels.current,
  }
  if (delivery === undefined) return head
  const known = { ...situation, delivery }
  // Where it was only looked, or another ring has followed, nothing was tried that would prove a revoke.
  const isLooked = delivery.mode === 'observe'
  const isProved =
    !isLooked && (action === 'status' || (action === 'revoke' && !dryRun)) && isRevocation(delivery.version)
  return {
    ...head,
    ...factsOf(known, configuration),
    ...(configuration.canary === undefined ? {} : { canary: toldCanary(known, configuration) }),
    ...(isProved ? { proof: proofOf(delivery) } : {}),
    ...(action === 'status' && !isLooked ? { exposure: exposureIn(known, configuration) } : {}),
  }
}

/** What operators have set. */
export function controlIn({
  control,
  controlProblem,
}: Pick<Situation, 'control' | 'controlProblem'>): Pick<Answer, keyof Control | 'controlProblem'> {
  const { paused, rolledBack, quarantine = [] } = control ?? {}
  return {
    ...(paused === undefined ? {} : { paused: withIsoEnd(paused) }),
    ...(rolledBack === undefined ? {} : { rolledBack }),
    ...(quarantine.length === 0 ? {} : { quarantine: quarantine.map(withIsoEnd) }),
    ...(controlProblem === undefined ? {} : { controlProblem }),
  }
}

function calendarsIn({ calendar }: Situation): Pick<Answer, 'calendars'> {
  if (calendar === undefined) return {}
  const { names, state } = calendar
  if (calendar.state === 'unread') return { calendars: { names, state, problem: calendar.refusal } }
  const { until } = calendar
  return { calendars: { names, state, ...(until === undefined ? {} : { until: until.toISOString() }) } }
}

function withIsoEnd<T extends SetUntil>(set: T): Omit<T, 'until'> & { readonly until: string } {
  return { ...set, until: set.until.toISOString() }
}

function exposureIn(
  { delivery, carried, now }: Known,
  { timing }: Pick<RotationConfiguration, 'timing'>,
): Serialised<Exposure> {
  const { readsFrom, readsTo, readsToAtMost, ...others } = exposureOf(delivery, carried, timing, now)
  return {
    ...others,
    readsFrom: readsFrom.toISOString(),
    readsTo: readsTo.toISOString(),
    readsToAtMost: readsToAtMost.toISOString(),
  }
}

function factsOf(
  situation: Known,
  configuration: Pick<RotationConfiguration, 'timing' | 'mayLag'>,
): Partial<Answer> {
  const { delivery, fleet } = situation
  const { generation, lineage, version, encryptsWith, rotatedAt, convergedAt } = delivery
  const { members, confirmed, stragglers, releases, programs, judgedAt } = delivery
  const { dueAt, forcedAt } = outlookOf(delivery, configuration.timing)
  const isLooked = delivery.mode === 'observe'
  const authBypass = failedBy('auth-bypass', stragglers)
  const localRing = failedBy('local-ring', stragglers)
  const names = new Map(fleet.known ? fleet.members.map(({ id, name }) => [id, name] as const) : [])
  return {
    generation,
    lineage,
    version,
    encryptsWith,
    rotatedAt: rotatedAt.toISOString(),
    dueAt: dueAt.toISOString(),
    forcedAt: forcedAt.toISOString(),
    ...(convergedAt === undefined || isLooked ? {} : { convergedAt: convergedAt.toISOString() }),
    fleet: {
      ...(judgedAt === undefined ? {} : { judgedAt: judgedAt.toISOString() }),
      members,
      ...(isLooked ? { confirmed: 0, observed: confirmed } : { confirmed }),
      stragglers: stragglers.map((each) => withFix(INSTANCE_REMEDIES, each, names.get(each.id))),
      ...(releases === undefined ? {} : { releases }),
      ...(programs === undefined ? {} : { programs }),
      ...(delivery.drifted === undefined ? {} : { drifted: delivery.drifted }),
      ...(authBypass.length === 0 ? {} : { authBypass }),
      ...(localRing.length === 0 ? {} : { localRing }),
      ...oldProcessOf(delivery),
      ...laggingOf(situation, configuration),
      ...(fleet.known ? { now: countOf(fleet.members) } : {}),
    },
  }
}

function laggingOf(
  situation: Known,
  configuration: Pick<RotationConfiguration, 'mayLag'>,
): Pick<NonNullable<Answer['fleet']>, 'lagging'> {
  const lagging = laggingIn(situation.delivery, situation.fleet, leaveOf(situation, configuration))
  return lagging.length === 0 ? {} : { lagging }
}

function oldProcessOf({ oldProcess }: Delivery): { readonly oldProcess?: Serialised<OldProcess> } {
  return oldProcess === undefined
    ? {}
    : { oldProcess: { ...oldProcess, began: oldProcess.began.toISOString() } }
}

function proofOf(delivery: Delivery): NonNullable<Answer['proof']> {
  const { members, confirmed, stragglers } = delivery
  // A machine that is held runs what was revoked.
  const codes = ['old-ticket-accepted', HELD]
  const accepting = codes.flatMap((code) => failedBy(code, stragglers))
  const counted = codes.reduce((sum, code) => sum + countFailedBy(code, delivery), 0)
  return { refused: confirmed, stillAccepting: accepting, unproven: members - confirmed - counted }
}
