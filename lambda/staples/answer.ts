import { type ToldStraggler, withFix } from '../fleet/instance-remedies.ts'
import { countOf } from '../fleet/membership.ts'
import type { ProgramVersion, Release } from '../fleet/releases.ts'
import { isRefusal } from '../kernel/errors.ts'
import { decideStaple } from './decision.ts'
import type { DeliveryResult } from './deliver.ts'
import type { DeliveryProgress } from './delivery-decision.ts'
import { desiredOf } from './delivery-record.ts'
import type { StapleEntry } from './entry.ts'
import { STAPLE_REMEDIES } from './instance-remedies.ts'
import type { CertificateState, StapleSituation } from './observation.ts'
import type { StaplePorts } from './ports.ts'
import type { Refreshed } from './refresh.ts'
import { measureStaples, reportOn, type StapleReport } from './report.ts'
import type { StapleAction, StapleRequest } from './request.ts'

/** What an invocation answers, as JSON. */
export interface StapleAnswer {
  readonly action: StapleAction
  readonly set: string
  /** When this was said. What certificates hold and need is of then. */
  readonly asOf: string
  /** What was done, in order. */
  readonly did: readonly string[]
  /** Of `status` all; else those that something was done about, or that need an eye. */
  readonly certificates: readonly StapleReport[]
  /** The last decision on delivery, or, of `status`, the one that would be taken now. */
  readonly delivery: { readonly action: string; readonly reason: string; readonly until?: string }
  /** As the delivery record has it: of `judgedAt`, and not of now. */
  readonly fleet: {
    readonly judgedAt?: string
    readonly members: number
    readonly confirmed: number
    readonly stragglers: readonly ToldStraggler[]
    /** How many of those that confirmed run which release of their server, as they told. */
    readonly releases?: readonly Release[]
    /** How many of them answered by which version of the machines' program. */
    readonly programs?: readonly ProgramVersion[]
    /** How many staples had drifted on machines and were put right, as commands told since the last change. */
    readonly drifted?: number
    /** The roll call of now. */
    readonly now?: { readonly members: number; readonly online: number }
  }
  /** Withdrawals that were held because so many were due at once. */
  readonly held?: readonly string[]
}

/** What an invocation comes to, as JSON. */
export function answer(
  ports: StaplePorts,
  { lost, kept: before }: StapleSituation,
  request: StapleRequest,
  done: Refreshed,
  { progress, decision, did }: DeliveryResult,
): StapleAnswer {
  const until = decision.action === 'hold' ? decision.until : undefined
  const shown = done.kept.filter((kept, index) => isShown(kept, before[index], request))
  return {
    action: request.action,
    set: ports.configuration.set,
    asOf: ports.clock.now().toISOString(),
    did: [...done.did, ...did],
    certificates: [
      ...shown.map((kept) => reportOn(kept, reasonOf(ports, kept), ports.clock.now())),
      ...lost.map(reportLost),
    ],
    delivery: {
      action: decision.action,
      reason: decision.reason,
      ...(until === undefined ? {} : { until: until.toISOString() }),
    },
    fleet: fleetOf(progress),
    ...(done.held.length === 0
      ? {}
      : { held: done.held.map(({ name, reason }) => `${name}: ${reason ?? ''}`) }),
  }
}

function fleetOf(progress: DeliveryProgress): StapleAnswer['fleet'] {
  const { judgedAt, releases, programs, stragglers, drifted } = progress.delivery
  return {
    ...(judgedAt === undefined ? {} : { judgedAt: judgedAt.toISOString() }),
    ...standingOf(progress),
    stragglers: stragglers.map((each) => withFix(STAPLE_REMEDIES, each)),
    ...(releases === undefined ? {} : { releases }),
    ...(programs === undefined ? {} : { programs }),
    ...(drifted === undefined ? {} : { drifted }),
    ...(progress.fleet.known ? { now: countOf(progress.fleet.members) } : {}),
  }
}

/** `status` shows all or the one that it is asked about, everything else what it was asked about or what needs an eye. */
function isShown(
  kept: CertificateState,
  before: CertificateState | undefined,
  { action, certificate }: StapleRequest,
): boolean {
  if (kept.setting.name === certificate) return true
  if (action === 'status') return certificate === undefined
  return kept.entry !== before?.entry || kept.entry.failures > 0
}

/** How many machines there are, and how many hold what they should. No machine has confirmed what was never sent. */
function standingOf({ delivery, fleet }: DeliveryProgress): {
  readonly members: number
  readonly confirmed: number
} {
  const { attempts, confirmed } = delivery
  return { members: attempts === 0 && fleet.known ? fleet.members.length : delivery.members, confirmed }
}

function reportLost({ setting, trouble }: StapleSituation['lost'][number]): StapleReport {
  return { name: setting.name, state: 'unreadable', reason: trouble.message }
}

/** What would be done about a certificate now, in a sentence. */
export function reasonOf({ clock, configuration }: StaplePorts, kept: CertificateState): string {
  const moment = { now: clock.now(), timing: configuration.timing, asking: 'due' } as const
  return decideStaple(kept, moment).reason
}

/** Names in one line of the log. */
const MOST_NAMES = 20

/** Publishes how the set stands. */
export function measure(
  ports: StaplePorts,
  { lost }: StapleSituation,
  done: Refreshed,
  progress: DeliveryProgress,
): void {
  const { eventLog, clock } = ports
  for (const { setting, trouble } of lost)
    eventLog.record({
      kind: 'trouble',
      during: `reading the certificate ${setting.name}`,
      detail: trouble.message,
    })
  const held = done.held.length > 0
  if (held) {
    const names = done.held.slice(0, MOST_NAMES).map(({ name }) => name)
    const reason = `${done.held.length} staples would go at once, more than a fifth: all stay. ${names.join(', ')}`
    eventLog.record({ kind: 'decided', action: 'hold-withdrawals', reason, page: true })
  }
  const { members, confirmed } = standingOf(progress)
  const undelivered = desiredFrom(done.kept).size === 0 ? 0 : Math.max(0, members - confirmed)
  const seen = seenFrom(done)
  const metrics = measureStaples(seen, { now: clock.now(), lost: lost.length, undelivered, held })
  const { driftRepaired } = progress
  const drift = driftRepaired === undefined ? {} : { DriftRepaired: driftRepaired }
  eventLog.record({ kind: 'measured', metrics: { ...metrics, ...drift } })
  for (const [reason, certificates] of reasonsOf(done, lost.length))
    eventLog.record({ kind: 'failing', reason, certificates })
}

/** The set as it is to be counted: with what is known, though it was held or the store refused it. */
function seenFrom({ kept, held, unsaved }: Refreshed): readonly CertificateState[] {
  const refused = new Set(unsaved.map(({ entry }) => entry.id))
  const known = new Map([...held, ...unsaved.map(({ entry }) => entry)].map((entry) => [entry.id, entry]))
  return kept.map((each) => {
    const entry = seenAs(each.entry, known.get(each.entry.id))
    const failures = refused.has(entry.id) ? Math.max(1, entry.failures) : entry.failures
    return { ...each, entry: { ...entry, failures } }
  })
}

/** A revocation whose withdrawal is held, or that cannot be stored, is a revocation all the same. */
function seenAs(entry: StapleEntry, known: StapleEntry | undefined): StapleEntry {
  const { response } = known ?? {}
  return response?.status === 'revoked' ? { ...entry, response } : entry
}

/** How many certificates fail, by the rule that refused or else the error. */
function reasonsOf({ kept, unsaved }: Refreshed, lost: number): ReadonlyMap<string, number> {
  const refused = new Map(unsaved.map(({ entry, error }) => [entry.id, nameOf(error)]))
  const counts = new Map<string, number>(lost === 0 ? [] : [['unreadable', lost]])
  for (const { entry } of kept) {
    const reason = refused.get(entry.id) ?? failingBy(entry)
    if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  }
  return counts
}

function failingBy({ lastFailure }: StapleEntry): string | undefined {
  return lastFailure?.rule ?? lastFailure?.code
}

function nameOf(error: unknown): string {
  if (isRefusal(error)) return error.code
  return error instanceof Error ? error.name : 'unknown'
}

export function desiredFrom(all: readonly CertificateState[]) {
  return desiredOf(all.map(({ entry }) => entry))
}
