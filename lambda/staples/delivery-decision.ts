import { type Cause, objected } from '../fleet/cause.ts'
import { noteSize } from '../fleet/convergence.ts'
import { type DeliveryDecision, decideDelivery } from '../fleet/delivery-decision.ts'
import { isUnderWay, standingOf, unsentOf } from '../fleet/delivery-state.ts'
import { hear, type Invocation, refused, type Unconfirmed } from '../fleet/evidence.ts'
import type { Fleet } from '../fleet/membership.ts'
import { causeOf, otherScript, type Serving, servingOf } from '../fleet/result-line.ts'
import { allMachines } from '../kernel/count.ts'
import type { StapleConfiguration } from './configuration.ts'
import type { DesiredStaples, StapleDelivery, StapleRecord } from './delivery-record.ts'
import { MOST_CERTIFICATES, type StapleMessage } from './message.ts'
import { parseStapleLine, type StapleLine } from './result-line.ts'

/** How far the desired staples have got: what the next step is decided from. */
export interface DeliveryProgress {
  readonly fleet: Fleet
  readonly delivery: StapleDelivery
  readonly carried: StapleRecord['carried']
  readonly holding: DesiredStaples
  /** What has changed since every machine was known to hold everything; `undefined` where that is not known. */
  readonly changed: readonly string[] | undefined
  /** How many staples had drifted and were put right, as heard in this invocation. */
  readonly driftRepaired?: number
}

/** How many redeliveries may fail before an operator is paged. */
const PATIENCE = 3

/** The next step of bringing to the fleet what it is to hold. @param forced asked for by hand. */
export function decideStapleDelivery(
  progress: DeliveryProgress,
  { target, timing }: Pick<StapleConfiguration, 'target' | 'timing'>,
  { now, forced }: { readonly now: Date; readonly forced: boolean },
): DeliveryDecision {
  const { delivery, holding } = progress
  if (holding.size === 0 && !forced && !isUnderWay(delivery))
    return { action: 'rest', reason: 'there is no staple to deliver' }
  const question = { ...progress, target, timing, now }
  const decision = decideDelivery({
    ...question,
    byHand: forced,
    ramp: true,
    byTag: false,
    isLate: delivery.attempts > PATIENCE,
    standing: standing(progress),
  })
  if (decision.action !== 'rest') return decision
  return (
    noteSize(question) ?? { ...decision, reason: `${allMachines(delivery.members, 'hold')} every staple` }
  )
}

function standing(progress: DeliveryProgress): string {
  const { delivery, changed } = progress
  if (delivery.attempts > 0) return standingOf(delivery, 'hold what they should')
  const changes = namedIn(progress)
  const told =
    changes === undefined
      ? `${changed?.length || 'unknown'} changes: every machine looks at the store`
      : `${changes.length} changed`
  return `${told}${unsentOf(delivery)}`
}

/** What a command says: only the first one may name what has changed. */
export function messageFor(progress: DeliveryProgress, forced: boolean): StapleMessage {
  const { delivery, holding } = progress
  const changes = forced || delivery.attempts > 0 ? undefined : namedIn(progress)
  return changes?.map((id) => [id, holding.get(id) ?? 'withdrawn'] as const) ?? 'all'
}

/** The changes, where they are known and few enough to be named. */
function namedIn({ changed }: DeliveryProgress): readonly string[] | undefined {
  return changed === undefined || changed.length === 0 || changed.length > MOST_CERTIFICATES
    ? undefined
    : changed
}

export type StapleVerdict =
  | ({
      readonly confirmed: true
      readonly changed: boolean
      /** How many of its staples had drifted and were put right. */
      readonly drifted?: number
    } & Serving)
  | Unconfirmed

/** Judges one instance by the line it printed: success means that it holds what it was told of its certificates. */
export function judgeStaples(
  invocation: Invocation,
  wanted: { readonly set: string; readonly scripts: readonly string[] },
): StapleVerdict {
  return hear(invocation, (stdout): StapleVerdict => {
    const line = parseStapleLine(stdout)
    const cause = objection(line, wanted)
    if (cause !== undefined) return refused(cause)
    const drifted = line.drifted === undefined ? {} : { drifted: line.drifted }
    return { confirmed: true, changed: line.result === 'applied', ...drifted, ...servingOf(line) }
  })
}

function objection(line: StapleLine, wanted: Parameters<typeof judgeStaples>[1]): Cause | undefined {
  if (line.staples !== wanted.set) return objected(`reports the set ${line.staples}`)
  if (!wanted.scripts.includes(line.script)) return otherScript(line, wanted.scripts)
  if (line.result !== 'failed') return undefined
  return causeOf(line)
}
