import type { Delivery, Straggler } from '../core/delivery-record.ts'
import { ageOf } from '../core/gate.ts'
import type { Action, ActionRequest } from '../core/request.ts'
import { type Decision, isRevocation, type Situation } from '../core/situation.ts'
import type { RotationPorts } from './observation.ts'

/** What a manual or scheduled invocation answers, as JSON. No key material. */
export interface Answer {
  readonly action: Action
  readonly ring: string
  /** The last decision, or, of a reading action, the one that would be taken now. */
  readonly decision: { readonly action: Decision['action']; readonly reason: string; readonly until?: string }
  /** What was done before that, in order. */
  readonly did: readonly string[]
  readonly generation?: number
  readonly lineage?: string
  /** VersionId that AWSCURRENT names. */
  readonly version?: string
  /** Name of the `current` key. */
  readonly encryptsWith?: string
  readonly rotatedAt?: string
  readonly convergedAt?: string
  readonly fleet?: {
    readonly members: number
    readonly confirmed: number
    readonly stragglers: readonly Straggler[]
  }
  /** Of a revoke: who proved that a ticket taken before is refused after, and who still accepts it. */
  readonly proof?: {
    readonly refused: number
    readonly stillAccepting: readonly string[]
    readonly unproven: number
  }
}

/** Publishes how the ring stands. */
export function measure(
  ports: RotationPorts,
  situation: Situation,
  decision: Decision,
  forced: boolean,
): void {
  const gauges = gaugesOf(ports, situation)
  if (gauges === undefined) return
  ports.journal.record({ kind: 'measured', metrics: { ...gauges, ...signalsOf(decision, forced) } })
}

function gaugesOf({ clock, configuration }: RotationPorts, { delivery, fleet }: Situation) {
  if (delivery !== undefined) {
    const { members, confirmed } = delivery
    return {
      KeyAge: Math.round(ageOf(delivery, clock.now())),
      Members: members,
      Stragglers: members - confirmed,
    }
  }
  // A ring that starts paused has no key that could be too old: the function runs, and says so.
  const Members = fleet.known ? fleet.members.length : 0
  return configuration.start === 'paused' ? { KeyAge: 0, Members, Stragglers: 0 } : undefined
}

function signalsOf(decision: Decision, forced: boolean) {
  return {
    RotationHeld: decision.action === 'hold' && decision.page ? 1 : 0,
    RotationForced: forced ? 1 : 0,
  }
}

/** What an invocation comes to. */
export function answer(
  { configuration }: Pick<RotationPorts, 'configuration'>,
  { action, dryRun }: ActionRequest,
  { delivery, labels }: Situation,
  decision: Decision,
  did: readonly string[],
): Answer {
  const until = decision.action === 'hold' ? decision.until : undefined
  const head = {
    action,
    ring: configuration.ring,
    decision: {
      action: decision.action,
      reason: decision.reason,
      ...(until === undefined ? {} : { until: until.toISOString() }),
    },
    did,
    version: labels.current,
  }
  if (delivery === undefined) return head
  // Where it was only looked, or another ring has followed, nothing was tried that would prove a revoke.
  const isProved = action === 'revoke' && !dryRun && isRevocation(delivery.version)
  return { ...head, ...factsOf(delivery), ...(isProved ? { proof: proofOf(delivery) } : {}) }
}

function factsOf(delivery: Delivery): Omit<Answer, 'action' | 'ring' | 'decision' | 'did'> {
  const { generation, lineage, version, encryptsWith, rotatedAt, convergedAt } = delivery
  const { members, confirmed, stragglers } = delivery
  return {
    generation,
    lineage,
    version,
    encryptsWith,
    rotatedAt: rotatedAt.toISOString(),
    ...(convergedAt === undefined ? {} : { convergedAt: convergedAt.toISOString() }),
    fleet: { members, confirmed, stragglers },
  }
}

function proofOf({ members, confirmed, stragglers }: Delivery): NonNullable<Answer['proof']> {
  const accepting = stragglers
    .filter(({ reason }) => reason.startsWith('old-ticket-accepted'))
    .map(({ id }) => id)
  return { refused: confirmed, stillAccepting: accepting, unproven: members - confirmed - accepting.length }
}
