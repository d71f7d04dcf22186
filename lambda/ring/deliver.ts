import { type Awaited, awaitCommands, type Capability, judgeFleet, send } from '../fleet/deliver.ts'
import { scriptsOf } from '../fleet/delivery-state.ts'
import type { Evidence } from '../fleet/evidence.ts'
import type { Address } from '../fleet/rollout.ts'
import { isDocumentPassed, noteCanary, noteSent } from './canary.ts'
import type { RotationConfiguration } from './configuration.ts'
import { judge, type Verdict } from './confirmation.ts'
import type { Delivery } from './delivery-record.ts'
import { lastChanceUntil } from './gate.ts'
import { type RotationPorts, saveRecord } from './observation.ts'
import type { Order } from './ports.ts'
import { isRolledBack } from './rollback.ts'
import { leaveOf } from './set-aside.ts'
import type { Known } from './situation.ts'

/** A ring's message names a generation: instances fetch it themselves. */
function ringDelivery(ports: RotationPorts): Capability<Known, Order, Verdict> {
  const { ring, document, announcedAtMost, mode } = ports.configuration
  return {
    message: (to, known) => ({
      ...to,
      generation: known.delivery.generation,
      ...programFor(to, known, ports.configuration),
    }),
    judge: (situation) => ({
      judge: (invocation) => {
        const { delivery, carried } = situation
        // Of a machine that was told to keep its program, or to go back.
        const mayBeOlder = ports.configuration.canary !== undefined || isRolledBack(situation)
        const kept = mayBeOlder ? (carried.scripts ?? []) : []
        return judge(invocation, {
          ...delivery,
          ring,
          scripts: [...kept, ...scriptsOf(delivery, document.script)],
          announcedAtMost,
          ...(mode === undefined ? {} : { mode }),
        })
      },
      note: (verdicts, holders) => audit(ports, situation.delivery, verdicts, holders),
    }),
    subject: ({ delivery }) => delivery.version,
    leave: (situation) => leaveOf(situation, ports.configuration),
    keep: (situation, news) => {
      const told = { ...situation, now: ports.clock.now(), delivery: withTold(situation.delivery, news) }
      return noteCanary(withDrift(withLocalRings(told, news), news), ports.configuration)
    },
    save: (situation) => saveRecord(ports, situation),
  }
}

function programFor(
  { canary }: Address,
  known: Known,
  configuration: RotationConfiguration,
): Pick<Order, 'program'> {
  if (isRolledBack(known)) return { program: 'back' }
  return canary === true || isDocumentPassed(known, configuration) ? {} : { program: 'keep' }
}

/** The longest of their lifetimes, and the oldest of their processes. */
function withTold(delivery: Delivery, news: readonly Verdict[]): Delivery {
  const told = news.filter((verdict) => verdict.confirmed)
  const lifetimes = [delivery.announced, ...told.map(({ lifetime }) => lifetime)].filter(isThere)
  const [oldest] = [delivery.oldProcess, ...told.map(({ oldProcess }) => oldProcess)]
    .filter(isThere)
    .toSorted((one, other) => one.began.getTime() - other.began.getTime())
  return {
    ...delivery,
    ...(lifetimes.length === 0 ? {} : { announced: Math.max(...lifetimes) }),
    ...(oldest === undefined ? {} : { oldProcess: oldest }),
    // One that its own settings have enforce says nothing of a look.
    ...(delivery.mode === 'observe' && told.some(({ observed, inUse }) => inUse ?? !observed)
      ? { inUse: true as const }
      : {}),
  }
}

function isThere<T>(value: T | undefined): value is T {
  return value !== undefined
}

function withLocalRings(situation: Known, news: readonly Verdict[]): Known {
  const localRings = news.filter((verdict) => verdict.confirmed && verdict.afterLocalRing).length
  return localRings === 0 ? situation : { ...situation, localRings }
}

function withDrift(situation: Known, news: readonly Verdict[]): Known {
  const repaired = news.reduce((sum, verdict) => sum + (verdict.confirmed ? (verdict.drifted ?? 0) : 0), 0)
  if (repaired === 0) return situation
  const { delivery, driftRepaired = 0 } = situation
  const drifted = (delivery.drifted ?? 0) + repaired
  return { ...situation, driftRepaired: driftRepaired + repaired, delivery: { ...delivery, drifted } }
}

/** Sends the generation that AWSCURRENT names. Does not throw where nothing can be sent. */
export function deliver(ports: RotationPorts, situation: Known, to: readonly Address[]): Promise<Known> {
  const noted = to.length === 0 ? situation : noteSent(situation, ports.configuration)
  return send(ports, ringDelivery(ports), noted, to)
}

/** Waits for the commands under way, or not, and judges every member of the roll call by what it said. */
export async function hearFleet(
  ports: RotationPorts,
  situation: Known,
  action: 'await' | 'judge',
): Promise<Awaited<Known>> {
  const { timing } = ports.configuration
  const capability = ringDelivery(ports)
  const until = lastChanceUntil(situation.delivery, timing, ports.clock.now())
  const { state, ended } =
    action === 'judge'
      ? await judgeFleet(ports, capability, situation)
      : await awaitCommands(ports, capability, situation, until)
  noteConvergence(ports, situation.delivery, state.delivery)
  return { state: { ...state, now: ports.clock.now() }, ended }
}

function noteConvergence({ eventLog }: RotationPorts, before: Delivery, after: Delivery): void {
  const { convergedAt, lineage, generation, encryptsWith, members, confirmed, mode } = after
  // Machines that only look have proved nothing.
  if (mode === 'observe') return
  if (convergedAt === undefined || convergedAt.getTime() === before.convergedAt?.getTime()) return
  const seconds = Math.round((convergedAt.getTime() - after.rotatedAt.getTime()) / 1000)
  eventLog.record({ kind: 'converged', lineage, generation, encryptsWith, members, confirmed, seconds })
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
    if (!verdict.confirmed || verdict.observed === true) continue
    const isNews = holders === undefined ? first || missing.has(instance) : !holders.has(instance)
    if (!isNews && !verdict.changed && verdict.launch === undefined) continue
    const { generation, encryptsWith, serverVersion, afterLocalRing, drifted, launch } = verdict
    const { lineage } = delivery
    const since = (verdict.since ?? clock.now()).toISOString()
    const runs = serverVersion === undefined ? {} : { serverVersion }
    const after = afterLocalRing === undefined ? {} : { afterLocalRing }
    eventLog.record({
      kind: 'held-by',
      instance,
      lineage,
      generation,
      encryptsWith,
      since,
      ...runs,
      ...after,
      ...(drifted === undefined ? {} : { drifted }),
      ...(launch === undefined ? {} : { launch }),
    })
  }
}
