import { collectEvidence, reserveFor } from '../fleet/collect-evidence.ts'
import { stragglersOf, weigh } from '../fleet/convergence.ts'
import { isConverged } from '../fleet/delivery-state.ts'
import { dispatch, pollUntilEnded } from '../fleet/dispatch.ts'
import type { Evidence, Heard } from '../fleet/evidence.ts'
import { callRollAgain } from '../fleet/inventory.ts'
import { rollCallOf } from '../fleet/membership.ts'
import {
  type DeliveryDecision,
  decideDelivery,
  judgeStaples,
  type StapleVerdict,
} from './delivery-decision.ts'
import {
  changesOf,
  type DesiredStaples,
  desiredDigest,
  type StapleDelivery,
  serialiseStapleRecord,
  unsent,
} from './delivery-record.ts'
import type { StapleSituation } from './observation.ts'
import type { StaplePorts } from './ports.ts'

/** How far a holding has got: everything that the next step is decided from. */
export interface DeliveryProgress extends Pick<StapleSituation, 'fleet'> {
  readonly holding: DesiredStaples
  readonly changed: readonly string[] | undefined
  readonly delivery: StapleDelivery
  readonly carried: StapleSituation['record']['carried']
}

/** Where the delivery stands once the fleet is to hold this. */
export function progressTowards(
  { record, fleet }: StapleSituation,
  before: DesiredStaples,
  holding: DesiredStaples,
): DeliveryProgress {
  const { delivery, carried } = record
  const mark = desiredDigest(holding)
  if (delivery?.holding === mark) return { fleet, carried, holding, delivery, changed: undefined }
  // Only where everybody is known to hold everything else may a command name no more than what changed.
  const complete =
    delivery !== undefined &&
    delivery.holding === desiredDigest(before) &&
    isConverged(delivery) &&
    delivery.membership === rollCallOf(fleet)
  const changed = complete ? changesOf(before, holding) : undefined
  return { fleet, carried, holding, changed, delivery: unsent(mark) }
}

/** What bringing came to. */
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
    const after = await act(ports, progress, decision)
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
  return decideDelivery({ ...progress, now: clock.now(), forced }, configuration)
}

/** @returns `undefined` where there is nothing to do, or to go on with, in this run. */
async function act(
  ports: StaplePorts,
  progress: DeliveryProgress,
  decision: DeliveryDecision,
): Promise<DeliveryProgress | undefined> {
  switch (decision.action) {
    case 'send':
      return send(ports, progress, decision)
    case 'await': {
      const open = progress.delivery.commands.filter(({ judged }) => !judged)
      const ended = await pollUntilEnded(ports, open, { reserve: reserveFor(progress.fleet, 2) })
      return ended ? judgeFleet(ports, progress) : undefined
    }
    case 'judge':
      return judgeFleet(ports, progress)
    case 'hold':
    case 'rest':
      return undefined
  }
}

async function send(
  ports: StaplePorts,
  progress: DeliveryProgress,
  { to, message }: Extract<DeliveryDecision, { action: 'send' }>,
): Promise<DeliveryProgress> {
  const { delivery, fleet } = progress
  const machines = fleet.known ? fleet.members.length : delivery.members
  const orders = to.map((address) => ({ ...address, message }))
  const sent = { ...progress, delivery: await dispatch(ports, delivery, orders, machines) }
  await saveProgress(ports, sent)
  return sent
}

/** @returns `undefined` where there was no time to hear all: what was heard is on record. */
async function judgeFleet(
  ports: StaplePorts,
  progress: DeliveryProgress,
): Promise<DeliveryProgress | undefined> {
  const { configuration, clock } = ports
  const { set, document, target, timing } = configuration
  let changed = false
  const { evidence, commands, releases, reading, whole } = await collectEvidence<StapleVerdict>(
    ports,
    progress.delivery,
    progress.fleet,
    {
      judge: (invocation) => judgeStaples(invocation, { set, script: document.script }),
      note: (verdicts) => {
        changed ||= [...verdicts.values()].some((verdict) => verdict.confirmed && verdict.changed)
      },
    },
  )
  const fleet = isComplete(progress, evidence) ? progress.fleet : await callRollAgain(ports, progress.fleet)
  const { reading: _, ...delivery } = progress.delivery
  const judged = { ...delivery, commands, releases, ...(reading === undefined ? {} : { reading }) }
  const lanes = delivery.commands.filter((command) => !command.judged).length
  const scales = { target, tick: timing.tick, what: delivery.holding, lanes }
  const weighed = weigh(
    { delivery: judged, carried: progress.carried },
    { fleet, evidence, changed },
    scales,
    clock.now(),
  )
  const after = { ...progress, ...weighed, fleet }
  await saveProgress(ports, after)
  return whole ? after : undefined
}

function isComplete({ fleet }: DeliveryProgress, evidence: Evidence<Heard>): boolean {
  return fleet.known && stragglersOf(fleet.members, evidence).length === 0
}

async function saveProgress(
  { records, configuration }: StaplePorts,
  { delivery, carried }: DeliveryProgress,
): Promise<void> {
  await records.write(serialiseStapleRecord({ set: configuration.set, delivery, carried }))
}
