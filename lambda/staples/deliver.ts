import { type Awaited, awaitCommands, type Capability, judgeFleet, send } from '../fleet/deliver.ts'
import type { DeliveryDecision } from '../fleet/delivery-decision.ts'
import { isConverged, scriptsOf } from '../fleet/delivery-state.ts'
import type { Evidence } from '../fleet/evidence.ts'
import { rollCallOf } from '../fleet/membership.ts'
import {
  type DeliveryProgress,
  decideStapleDelivery,
  judgeStaples,
  messageFor,
  type StapleVerdict,
} from './delivery-decision.ts'
import {
  changesOf,
  type DesiredStaples,
  desiredDigest,
  serialiseStapleRecord,
  unsent,
} from './delivery-record.ts'
import type { StapleSituation } from './observation.ts'
import type { StapleOrder, StaplePorts } from './ports.ts'

/** Where the delivery stands once the fleet is to hold this. */
export function progressTowards(
  { record, fleet }: StapleSituation,
  before: DesiredStaples,
  holding: DesiredStaples,
): DeliveryProgress {
  const { delivery, carried } = record
  const mark = desiredDigest(holding)
  if (delivery?.holding === mark) return { fleet, carried, holding, delivery, changed: undefined }
  // Only where every machine is known to hold everything else may a command name no more than what changed.
  const complete =
    delivery !== undefined &&
    delivery.holding === desiredDigest(before) &&
    isConverged(delivery) &&
    delivery.membership === rollCallOf(fleet)
  const changed = complete ? changesOf(before, holding) : undefined
  return { fleet, carried, holding, changed, delivery: unsent(mark) }
}

/** Where a delivery has led. */
export interface DeliveryResult {
  readonly progress: DeliveryProgress
  readonly decision: DeliveryDecision
  readonly did: readonly string[]
}

/** More steps than any situation needs. */
const MOST_STEPS = 64

/** Sends what has changed, waits for it and judges every machine, until there is nothing to do or something to wait for. */
export async function deliverStaples(
  ports: StaplePorts,
  start: DeliveryProgress,
  forced: boolean,
): Promise<DeliveryResult> {
  let progress = start
  let wanted = forced
  const did: string[] = []
  for (let step = 0; step < MOST_STEPS; step++) {
    const decision = nextStep(ports, progress, wanted)
    const page = decision.action === 'hold' && decision.page
    ports.eventLog.record({
      kind: 'decided',
      action: `deliver-${decision.action}`,
      reason: decision.reason,
      page,
    })
    const after = await act(ports, progress, decision, wanted)
    if (after === undefined) return { progress, decision, did }
    if (decision.action === 'send') {
      wanted = false
      did.push(`delivered: ${decision.reason}`)
    }
    progress = after
  }
  throw new RangeError(`no end after ${MOST_STEPS} steps: ${did.join('; ')}`)
}

/** The step that is due now. */
export function nextStep(
  { clock, configuration }: StaplePorts,
  progress: DeliveryProgress,
  forced: boolean,
): DeliveryDecision {
  return decideStapleDelivery(progress, configuration, { now: clock.now(), forced })
}

/** @returns `undefined` where there is nothing to do, or to go on with, in this run. */
async function act(
  ports: StaplePorts,
  progress: DeliveryProgress,
  decision: DeliveryDecision,
  forced: boolean,
): Promise<DeliveryProgress | undefined> {
  const capability = stapleDelivery(ports, forced)
  switch (decision.action) {
    case 'send':
      return send(ports, capability, progress, decision.to)
    case 'await':
      return wholeOf(await awaitCommands(ports, capability, progress))
    case 'judge':
      return wholeOf(await judgeFleet(ports, capability, progress))
    case 'hold':
    case 'rest':
      return undefined
  }
}

/** @returns `undefined` where there was no time to hear all: what was heard is on record. */
function wholeOf({ state, ended }: Awaited<DeliveryProgress>): DeliveryProgress | undefined {
  return ended ? state : undefined
}

/** A set's message names what has changed, or sends machines to the store. */
function stapleDelivery(
  ports: StaplePorts,
  forced: boolean,
): Capability<DeliveryProgress, StapleOrder, StapleVerdict> {
  const { set, document } = ports.configuration
  return {
    message: (to, progress) => ({ ...to, message: messageFor(progress, forced) }),
    judge: ({ delivery }) => {
      const scripts = scriptsOf(delivery, document.script)
      return {
        judge: (invocation) => judgeStaples(invocation, { set, scripts }),
        note: (verdicts) => noteDrift(ports, verdicts),
      }
    },
    keep: withDrift,
    subject: ({ delivery }) => delivery.holding,
    save: (progress) => saveProgress(ports, progress),
  }
}

function withDrift(progress: DeliveryProgress, news: readonly StapleVerdict[]): DeliveryProgress {
  const repaired = news.reduce((sum, verdict) => sum + (verdict.confirmed ? (verdict.drifted ?? 0) : 0), 0)
  if (repaired === 0) return progress
  const { delivery, driftRepaired = 0 } = progress
  const drifted = (delivery.drifted ?? 0) + repaired
  return { ...progress, driftRepaired: driftRepaired + repaired, delivery: { ...delivery, drifted } }
}

function noteDrift({ eventLog }: StaplePorts, verdicts: Evidence<StapleVerdict>): void {
  for (const [instance, verdict] of verdicts)
    if (verdict.confirmed && verdict.drifted !== undefined)
      eventLog.record({ kind: 'drift-repaired', instance, staples: verdict.drifted })
}

async function saveProgress(
  { records, configuration }: StaplePorts,
  { delivery, carried }: DeliveryProgress,
): Promise<void> {
  await records.write(serialiseStapleRecord({ set: configuration.set, delivery, carried }))
}
