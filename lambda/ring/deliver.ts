import { type CollectedEvidence, collectEvidence, reserveFor } from '../fleet/collect-evidence.ts'
import { stragglersOf, weigh } from '../fleet/convergence.ts'
import { dispatch, pollUntilEnded } from '../fleet/dispatch.ts'
import type { Evidence } from '../fleet/evidence.ts'
import { callRollAgain } from '../fleet/inventory.ts'
import type { Address } from '../fleet/rollout.ts'
import { judge, type Verdict } from './confirmation.ts'
import type { Delivery } from './delivery-record.ts'
import { lastChanceUntil } from './gate.ts'
import { type RotationPorts, saveRecord } from './observation.ts'
import type { Situation } from './situation.ts'

type Delivering = Situation & { readonly delivery: Delivery }

/** Sends the generation that AWSCURRENT names; instances fetch it themselves. Does not throw where nothing can be sent. */
export async function deliver(
  ports: RotationPorts,
  situation: Delivering,
  to: readonly Address[],
): Promise<Situation> {
  const { delivery, fleet } = situation
  const { generation } = delivery
  const machines = fleet.known ? fleet.members.length : delivery.members
  const orders = to.map((address) => ({ ...address, generation }))
  const sent = { ...situation, delivery: await dispatch(ports, delivery, orders, machines) }
  await saveRecord(ports, sent)
  return sent
}

/** Where waiting has led: `ended` is false where time ran out, and the next tick goes on. */
export interface Awaited {
  readonly situation: Situation
  readonly ended: boolean
}

/** Waits for the commands under way, as long as this invocation may, and judges what they brought. */
export async function awaitCommands(ports: RotationPorts, situation: Delivering): Promise<Awaited> {
  const { delivery, fleet } = situation
  const open = delivery.commands.filter(({ judged }) => !judged)
  const until = lastChanceUntil(delivery, ports.configuration.timing, ports.clock.now())
  const patience = { reserve: reserveFor(fleet, 2), ...(until === undefined ? {} : { until }) }
  const ended = await pollUntilEnded(ports, open, patience)
  return ended ? judgeFleet(ports, situation) : { situation, ended }
}

/** Judges every member of the roll call by what it said. */
export async function judgeFleet(ports: RotationPorts, situation: Delivering): Promise<Awaited> {
  const { delivery, fleet } = situation
  const { ring, document } = ports.configuration
  const expectation = { ...delivery, ring, script: document.script }
  let changed = false
  const hearing = await collectEvidence<Verdict>(ports, delivery, fleet, {
    judge: (invocation) => judge(invocation, expectation),
    note(verdicts, holders) {
      changed ||= [...verdicts.values()].some((verdict) => verdict.confirmed && verdict.changed)
      audit(ports, delivery, verdicts, holders)
    },
  })
  return { situation: await record(ports, situation, hearing, changed), ended: hearing.whole }
}

/** While machines are missing the roll is called again: they may have gone. */
async function record(
  ports: RotationPorts,
  situation: Delivering,
  { evidence, commands, releases, reading }: CollectedEvidence,
  changed: boolean,
): Promise<Situation> {
  const { timing, target } = ports.configuration
  const { known } = situation.fleet
  const isComplete = known && stragglersOf(situation.fleet.members, evidence).length === 0
  const fleet = isComplete ? situation.fleet : await callRollAgain(ports, situation.fleet)
  const now = ports.clock.now()
  const { reading: _, ...delivery } = situation.delivery
  const judged = { ...delivery, commands, releases, ...(reading === undefined ? {} : { reading }) }
  const lanes = delivery.commands.filter((command) => !command.judged).length
  const scales = { target, tick: timing.tick, what: delivery.version, lanes }
  const heard = { fleet, evidence, changed }
  const weighed = weigh({ delivery: judged, carried: situation.carried }, heard, scales, now)
  const after = { ...situation, ...weighed, fleet, now }
  await saveRecord(ports, after)
  return after
}

/** One line per instance and generation: who held which key from when. */
function audit(
  { eventLog, clock }: RotationPorts,
  delivery: Delivery,
  evidence: Evidence<Verdict>,
  holders: ReadonlySet<string> | undefined,
): void {
  const first = delivery.commands.every(({ judged }) => !judged)
  const missing = new Set(delivery.stragglers.map(({ id }) => id))
  for (const [instance, verdict] of evidence) {
    if (!verdict.confirmed) continue
    const isNews = holders === undefined ? first || missing.has(instance) : !holders.has(instance)
    if (!isNews && !verdict.changed) continue
    const { generation, encryptsWith, serverVersion } = verdict
    const { lineage } = delivery
    const since = (verdict.since ?? clock.now()).toISOString()
    const runs = serverVersion === undefined ? {} : { serverVersion }
    eventLog.record({ kind: 'held-by', instance, lineage, generation, encryptsWith, since, ...runs })
  }
}
