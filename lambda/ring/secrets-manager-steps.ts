import { addresseesOf } from '../fleet/delivery-decision.ts'
import type { Fleet } from '../fleet/membership.ts'
import { messageOf, TicketringError } from '../kernel/errors.ts'
import { later } from '../kernel/time.ts'
import { promote } from './commit.ts'
import { type Control, inForce } from './control.ts'
import { deliver } from './deliver.ts'
import { carriedTo, type Delivery, type DeliveryRecord, undelivered } from './delivery-record.ts'
import { withCalendars } from './look-at-calendars.ts'
import { observe, type RotationPorts, readCurrent, readRecord, saveRecord } from './observation.ts'
import type { StoredValue } from './ports.ts'
import { soundControl } from './read-control.ts'
import type { StepRequest } from './request.ts'
import { parseRing, type Ring } from './ring.ts'
import { isRevocation, type Situation } from './situation.ts'
import { required, stageAs } from './stage.ts'
import {
  notEnabled,
  refuseBesideRevoke,
  refuseClosedCalendars,
  refuseClosedGate,
  refuseDuringPause,
  refuseLost,
  refuseOtherSecret,
  refusePaused,
  unknownToken,
} from './step-refusals.ts'

/**
 * One of the four steps that Secrets Manager calls: each may be retried and repeated at will.
 * Source: Secrets Manager user guide, "How rotation works".
 */
export async function runStep(ports: RotationPorts, request: StepRequest): Promise<void> {
  noteUnknown(ports, request)
  refuseOtherSecret(ports, request)
  switch (request.step) {
    case 'createSecret':
      return createSecret(ports, request)
    case 'setSecret':
      // Delivery follows the commit: a key that is only staged must reach no machine.
      return insistOnToken(ports, request)
    case 'testSecret':
      return testSecret(ports, request)
    case 'finishSecret':
      return finishSecret(ports, request)
  }
}

/** Secrets Manager is not refused for what a later release of it says beside what is needed. */
function noteUnknown({ eventLog }: RotationPorts, { step, unknown }: StepRequest): void {
  if (unknown === undefined) return
  const names = unknown.map((name) => JSON.stringify(name)).join(', ')
  eventLog.record({
    kind: 'trouble',
    during: `reading the event of ${step}`,
    detail: `not used: the field ${names}`,
  })
}

async function createSecret(ports: RotationPorts, { token, rotationToken }: StepRequest): Promise<void> {
  const situation = await observe(ports)
  const { labels, delivery } = situation
  if (!situation.rotates) throw notEnabled()
  if (labels.current === token) return
  if (labels.pending !== token) throw unknownToken(token, `AWSPENDING on ${labels.pending ?? 'no version'}`)
  refuseBesideRevoke(labels)
  refuseLost(situation)
  refuseDuringPause(situation)
  if (delivery !== undefined) refuseClosedGate(ports, { ...situation, delivery })
  else refusePaused(ports)
  if (!wasJustAsked(ports, situation)) refuseClosedCalendars(ports, await withCalendars(ports, situation))
  await noteOffline(ports, situation)
  const ring = await stageAs(ports, situation, { version: token, rotationToken })
  await refuseDead(ports, token, ring)
}

/** This function asked the calendars before it asked Secrets Manager to rotate. */
function wasJustAsked({ clock, configuration }: RotationPorts, { labels, carried }: Situation): boolean {
  const { asked } = carried
  const isOf = asked?.version === labels.current
  return isOf && asked !== undefined && clock.now() < later(asked.since, configuration.timing.tick)
}

/** finishSecret sends to all that have the tag where all of them are online; it does not call the roll again. */
async function noteOffline(ports: RotationPorts, { delivery, fleet, ...rest }: Situation): Promise<void> {
  if (delivery === undefined || !fleet.known) return
  const offline = fleet.members.filter(({ online }) => !online).length
  if (offline === (delivery.offline ?? 0)) return
  await saveRecord(ports, { ...rest, fleet, delivery: { ...delivery, offline } })
}

/** Must also pass at deploy time, with no fleet and, on a temporary version, with no value. */
async function testSecret(ports: RotationPorts, request: StepRequest): Promise<void> {
  const staged = await readStaged(ports, request.token)
  if (staged !== undefined) {
    parseRing(staged.value, ports.configuration.ring)
    return
  }
  await insistOnToken(ports, request)
  parseRing((await readCurrent(ports.versions)).value, ports.configuration.ring)
}

/** A pause holds it up before the commit. Never fails after that: what it leaves undone, the next tick does. */
async function finishSecret(ports: RotationPorts, { token }: StepRequest): Promise<void> {
  const staged = await readStaged(ports, token)
  if (staged === undefined) throw unknownToken(token, 'no value in that version')
  const ring = required(parseRing(staged.value, ports.configuration.ring), token)
  const known = await readUnlessPaused(ports, token)
  await promote(ports, token, ring)
  try {
    await startDelivery(ports, token, ring, known)
  } catch (error) {
    const during = 'sending the delivery after finishSecret'
    ports.eventLog.record({ kind: 'trouble', during, detail: messageOf(error) })
  }
}

/** @throws TicketringError `token-unknown` unless a rotation under way, or the one that finished last, has this token. */
async function insistOnToken({ versions }: RotationPorts, { token }: StepRequest): Promise<void> {
  const { pending, current } = await versions.labels()
  if (pending === token || current === token) return
  throw unknownToken(token, `AWSPENDING on ${pending ?? 'no version'}`)
}

/** One call reads both parameters. @throws TicketringError `rotation-held` unless the version is committed already. */
async function readUnlessPaused(ports: RotationPorts, token: string): Promise<Parameters> {
  const [record, stored] = await Promise.all([readRecord(ports), ports.controls.read()])
  const control = inForce(
    (await soundControl(ports, stored)).control,
    ports.clock.now(),
    ports.configuration.document.name,
  )
  const isCommitted = control.paused !== undefined && (await ports.versions.labels()).current === token
  if (!isCommitted) refuseDuringPause({ control })
  return { record, control }
}

/** What its two parameters say. */
interface Parameters {
  readonly record: DeliveryRecord | undefined
  readonly control: Control
}

async function startDelivery(
  ports: RotationPorts,
  version: string,
  ring: Ring,
  { record, control }: Parameters,
): Promise<void> {
  if (record?.delivery?.version === version && record.delivery.attempts > 0) return
  const delivery = undelivered(version, ring, ports.configuration.mode)
  // Without a roll call of its own: where a machine was not online, the next tick names those that are; and the canary's.
  const isSendable = (record?.delivery?.offline ?? 0) === 0 && ports.configuration.canary === undefined
  const { lineage, generation, encryptsWith } = delivery
  ports.eventLog.record({ kind: 'committed', version, lineage, generation, encryptsWith, origin: 'advance' })
  const situation: Situation & { delivery: Delivery } = {
    now: ports.clock.now(),
    labels: { current: version },
    carried: record === undefined ? {} : carriedTo(delivery, record),
    fleet: { known: true, members: [] },
    delivery,
    control,
  }
  const { target, timing } = ports.configuration
  const ramp = !isRevocation(version)
  const to = isSendable ? addresseesOf({ delivery, fleet: UNCALLED, target, timing, ramp }) : []
  await deliver(ports, situation, to)
}

const UNCALLED: Fleet = { known: false, refusal: 'it was not called' }

const READ_TRIES = 3
const READ_PAUSE = 500

/** Reads are eventually consistent: a version just put may not be there yet. */
async function readStaged(
  { versions, clock }: RotationPorts,
  version: string,
): Promise<StoredValue | undefined> {
  for (let tries = 1; ; tries++) {
    const stored = await versions.read({ version })
    if (stored !== undefined || tries === READ_TRIES) return stored
    await clock.sleep(READ_PAUSE)
  }
}

/** Where another commit came first, a revoke perhaps, no label stays on keys that were in use before it. */
async function refuseDead({ versions, commits }: RotationPorts, token: string, ring: Ring): Promise<void> {
  const { current } = await versions.labels()
  if (ring.parent === current || current === token) return
  await commits.unlabel('AWSPENDING', token)
  throw new TicketringError('staged-ring-dead', {
    wanted: `a staged ring derived from ${current}`,
    came: `one derived from ${ring.parent}`,
    fix: 'AWSPENDING was taken off it; the next rotation starts afresh',
  })
}
