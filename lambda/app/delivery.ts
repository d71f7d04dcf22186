import { type Evidence, type Expectation, judge, withOlder } from '../core/confirmation.ts'
import { type Delivery, MOST_COMMANDS, type SentCommand } from '../core/delivery-record.ts'
import { later } from '../core/gate.ts'
import { stragglersOf, weigh } from '../core/judgement.ts'
import { isRevocation, type Situation } from '../core/situation.ts'
import { callRoll, type RotationPorts, saveRecord } from './observation.ts'
import type { CommonEntry, Courier, Journal } from './ports.ts'

type Delivering = Situation & { readonly delivery: Delivery }

/** Sends the generation that AWSCURRENT names; instances fetch it themselves. */
export async function deliver(
  ports: RotationPorts,
  situation: Delivering,
  to: 'all' | readonly string[],
): Promise<Situation> {
  const { delivery } = situation
  const order = { generation: delivery.generation, to, ramp: !isRevocation(delivery.version) }
  const sentAt = ports.clock.now()
  const commands = (await ports.courier.send(order)).map((id) => ({ id, sentAt, judged: false }))
  const sent = {
    ...situation,
    delivery: {
      ...delivery,
      commands: [...delivery.commands, ...commands].slice(-MOST_COMMANDS),
      attempts: delivery.attempts + 1,
    },
  }
  await saveRecord(ports, sent)
  return sent
}

const FIRST_POLL = 1000
const SLOWEST_POLL = 15_000
/** Time kept back for reading results and writing the record. */
const RESERVE = 20_000
/** A command that Systems Manager does not list after this many seconds never will be. */
const LISTED_WITHIN = 60

/**
 * Waits for the commands under way, as long as this invocation may, and judges what they brought.
 * @returns `undefined` where time ran out: the next tick goes on.
 */
export async function awaitCommands(
  ports: RotationPorts,
  situation: Delivering,
): Promise<Situation | undefined> {
  const open = situation.delivery.commands.filter(({ judged }) => !judged)
  return (await pollUntilEnded(ports, open)) ? judgeFleet(ports, situation) : undefined
}

/** What polling needs: of whichever story. */
export interface PollingPorts extends Pick<RotationPorts, 'clock' | 'chance'> {
  readonly courier: Pick<Courier, 'progress'>
  readonly journal: Journal<CommonEntry>
  readonly configuration: { readonly timing: { readonly delivery: number; readonly execution: number } }
}

/** @returns false where this invocation ran out of time before the commands had ended. */
export async function pollUntilEnded(ports: PollingPorts, open: readonly SentCommand[]): Promise<boolean> {
  for (let pause = FIRST_POLL; ; pause = Math.min(pause * 1.5, SLOWEST_POLL)) {
    if (await allEnded(ports, open)) return true
    const jittered = pause * (0.8 + (ports.chance.random(1)[0] ?? 0) / 640)
    if (ports.clock.remaining() < jittered + RESERVE) return false
    await ports.clock.sleep(jittered)
  }
}

async function allEnded(ports: PollingPorts, open: readonly SentCommand[]): Promise<boolean> {
  const ended = await Promise.all(open.map((command) => hasEnded(ports, command)))
  return ended.every(Boolean)
}

async function hasEnded(
  { courier, clock, journal, configuration }: PollingPorts,
  command: SentCommand,
): Promise<boolean> {
  const { state, targets, completed } = await courier.progress(command.id)
  journal.record({ kind: 'progress', command: command.id, targets, completed })
  const { delivery, execution } = configuration.timing
  const patience = state === 'unknown' ? LISTED_WITHIN : delivery + execution + LISTED_WITHIN
  return state === 'ended' || clock.now() > later(command.sentAt, patience)
}

/**
 * Judges every member of the roll call by what it said, newest command first; older ones are read only while
 * somebody is missing, and so is the roll call, from which the missing may have gone.
 */
export async function judgeFleet(ports: RotationPorts, situation: Delivering): Promise<Situation> {
  const { delivery } = situation
  const expectation = {
    ...delivery,
    ring: ports.configuration.ring,
    script: ports.configuration.document.script,
  }
  let evidence: Evidence = new Map()
  let changed = false
  for (const command of [...delivery.commands].reverse()) {
    if (command.judged && isComplete(situation, evidence)) break
    const results = await readResults(ports, command, expectation)
    if (!command.judged) {
      changed ||= [...results.values()].some((verdict) => verdict.confirmed && verdict.changed)
      audit(ports, delivery, results)
    }
    evidence = withOlder(evidence, results)
  }
  return record(ports, situation, evidence, changed)
}

async function record(
  ports: RotationPorts,
  situation: Delivering,
  evidence: Evidence,
  changed: boolean,
): Promise<Situation> {
  const fleet = isComplete(situation, evidence) ? situation.fleet : await callRoll(ports.rollCall)
  const now = ports.clock.now()
  const judged = {
    ...situation.delivery,
    commands: situation.delivery.commands.map((command) => ({ ...command, judged: true })),
  }
  const weighed = weigh(
    { delivery: judged, carried: situation.carried },
    { fleet, evidence, changed },
    ports.configuration.target,
    now,
  )
  const after = { ...situation, ...weighed, fleet, now }
  await saveRecord(ports, after)
  return after
}

async function readResults(
  { courier }: RotationPorts,
  { id }: SentCommand,
  expectation: Expectation,
): Promise<Evidence> {
  const invocations = await courier.results(id)
  return new Map(invocations.map((invocation) => [invocation.id, judge(invocation, expectation)]))
}

function isComplete({ fleet }: Situation, evidence: Evidence): boolean {
  return fleet.known && stragglersOf(fleet.members, evidence).length === 0
}

/** One line per instance and generation: who held which key from when. */
function audit({ journal, clock }: RotationPorts, delivery: Delivery, evidence: Evidence): void {
  const first = delivery.commands.every(({ judged }) => !judged)
  const missing = new Set(delivery.stragglers.map(({ id }) => id))
  for (const [instance, verdict] of evidence) {
    if (!verdict.confirmed || !(first || verdict.changed || missing.has(instance))) continue
    const { generation, encryptsWith } = verdict
    const since = (verdict.since ?? clock.now()).toISOString()
    journal.record({ kind: 'held-by', instance, lineage: delivery.lineage, generation, encryptsWith, since })
  }
}
