import { withDepartures } from '../fleet/departures.ts'
import { callRoll } from '../fleet/inventory.ts'
import type { Chance, Clock, CommandSender, EventLog, FleetInventory, Records } from '../fleet/ports.ts'
import { readRecordBy } from '../fleet/read-record.ts'
import { isRefusal, TicketringError } from '../kernel/errors.ts'
import type { RotationConfiguration } from './configuration.ts'
import { inForce } from './control.ts'
import {
  carriedTo,
  type Delivery,
  type DeliveryRecord,
  inMode,
  mergeRecords,
  undelivered,
} from './delivery-record.ts'
import { parseRecord, requirePast, serialiseRecord } from './delivery-record-text.ts'
import type { Labels } from './labels.ts'
import { callCanary, withAlarms } from './look-at-canary.ts'
import type {
  Calendars,
  CanaryWatch,
  Controls,
  Order,
  RingCommits,
  RingEvent,
  RingVersions,
  Rotations,
} from './ports.ts'
import { type ControlSight, soundControl } from './read-control.ts'
import { parseRing, type Ring } from './ring.ts'
import { isRevocation, type Situation } from './situation.ts'

/** All that the rotation story reaches outside by. */
export interface RotationPorts {
  readonly configuration: RotationConfiguration
  readonly versions: RingVersions
  readonly commits: RingCommits
  readonly rotations: Rotations
  readonly records: Records
  readonly controls: Controls
  readonly canary: CanaryWatch
  readonly calendars: Calendars
  readonly inventory: FleetInventory
  readonly sender: CommandSender<Order>
  readonly clock: Clock
  readonly chance: Chance
  readonly eventLog: EventLog<RingEvent>
}

/** What looking takes. Without `read` no ring is ever read: then what the record does not know stays unread. */
export interface ObservationPorts
  extends Pick<RotationPorts, 'configuration' | 'canary' | 'calendars' | 'inventory' | 'clock' | 'eventLog'> {
  readonly versions: Pick<RingVersions, 'labels'> & Partial<Pick<RingVersions, 'read'>>
  readonly records: Pick<Records, 'read'>
  readonly controls: Pick<Controls, 'read' | 'earlier'>
  /** Without it the function does not ask what became of machines that left. */
  readonly sender?: Pick<CommandSender, 'results'>
}

/** Looks before this gives up on labels and values that do not belong together. */
const MOST_LOOKS = 4
/** Before a second look, and longer before each further one (ms): reads are eventually consistent. */
const LOOK_PAUSE = 200

/**
 * Looks at what is. Reads the secret's value only where the record does not know the version that AWSCURRENT
 * names, so that an ordinary tick never holds a key.
 */
export async function observe(ports: ObservationPorts): Promise<Situation & { readonly rotates: boolean }> {
  const [sight, fleet, machines] = await Promise.all([look(ports), callRoll(ports), callCanary(ports)])
  const { labels, record, delivery, unread, seen } = sight
  const carried = record === undefined ? {} : carriedTo(delivery, record)
  const pendingParent = await parentOfPending(ports, labels)
  const isUninitialised = delivery === undefined && unread === undefined
  const lost = isUninitialised ? (record?.delivery ?? (await beforeCurrent(ports, labels))) : undefined
  const canary = await withAlarms(ports, machines, delivery)
  const now = ports.clock.now()
  return {
    now,
    labels,
    rotates: labels.rotationEnabled,
    carried,
    ...seen,
    control: inForce(seen.control, now, ports.configuration.document.name),
    fleet: await withDepartures(ports, fleet, { ...record, carried }),
    ...(delivery === undefined ? {} : { delivery }),
    ...(canary === undefined ? {} : { canary }),
    ...(pendingParent === undefined ? {} : { pendingParent }),
    ...(unread === undefined ? {} : { unread }),
    ...(lost === undefined ? {} : { lost }),
  }
}

interface Sight {
  readonly labels: Awaited<ReturnType<RingVersions['labels']>>
  readonly record: DeliveryRecord | undefined
  readonly delivery: Delivery | undefined
  readonly unread?: true
  readonly seen: ControlSight
}

/** Labels, record and value are read by three calls, between which another function may commit: they must fit together. */
async function look(ports: ObservationPorts): Promise<Sight> {
  for (let looks = 1; looks <= MOST_LOOKS; looks++) {
    const labels = await ports.versions.labels()
    // After the labels: a record of before a commit would lose, once written, what the commit has left in it.
    const [record, stored] = await Promise.all([readRecord(ports), ports.controls.read()])
    const seen = await soundControl(ports, stored)
    if (record?.delivery?.version === labels.current)
      return { labels, record, delivery: record.delivery, seen }
    const found = await discover(ports, labels.current, looks === MOST_LOOKS)
    if (found !== undefined && !(await hasMoved(ports, labels.current, record?.delivery, found.delivery)))
      return { labels, record, seen, ...found }
    await ports.clock.sleep(LOOK_PAUSE * looks)
  }
  throw withoutValue()
}

/** A record of a later generation than AWSCURRENT names: by a commit since the labels were read, or moved back by hand. */
async function hasMoved(
  { versions }: ObservationPorts,
  current: string,
  recorded: Delivery | undefined,
  found: Delivery | undefined,
): Promise<boolean> {
  const isLater =
    recorded !== undefined && recorded.lineage === found?.lineage && recorded.generation > found.generation
  return isLater && (await versions.labels()).current !== current
}

/**
 * @param byVersion asks for the version itself: its stage may lag behind the labels for long.
 * @returns `undefined` where AWSCURRENT's value is of another version than its label names, or not there yet.
 */
async function discover(
  { versions, configuration, clock }: ObservationPorts,
  current: string,
  byVersion: boolean,
): Promise<Pick<Sight, 'delivery' | 'unread'> | undefined> {
  if (versions.read === undefined) return { delivery: undefined, unread: true }
  const stored = await versions.read(byVersion ? { version: current } : 'AWSCURRENT')
  if (stored?.version !== current) return undefined
  const ring = parseRing(stored.value, configuration.ring)
  if (ring === undefined) return { delivery: undefined }
  // A ring that is dated ahead, by a clock that was, would never come to its age.
  const rotatedAt = new Date(Math.min(ring.rotatedAt.getTime(), clock.now().getTime()))
  return { delivery: { ...undelivered(current, ring, configuration.mode), rotatedAt } }
}

/** What AWSCURRENT was moved from, where nothing is recorded of it. */
async function beforeCurrent(ports: ObservationPorts, { previous }: Labels): Promise<Delivery | undefined> {
  const ring = previous === undefined ? undefined : await readRing(ports, previous)
  return ring && previous !== undefined ? undelivered(previous, ring) : undefined
}

/** After a revoke, what a rotation has staged may hold revoked keys. */
export async function parentOfPending(
  ports: ObservationPorts,
  { current, pending }: Labels,
): Promise<string | undefined> {
  if (!isRevocation(current) || pending === undefined || pending === current) return undefined
  return (await readRing(ports, pending))?.parent
}

/** @returns the ring that a version holds; `undefined` where it has no value, or one that is none. */
export async function readRing(
  { versions, configuration }: Pick<ObservationPorts, 'versions' | 'configuration'>,
  version: string,
): Promise<Ring | undefined> {
  const stored = await versions.read?.({ version })
  try {
    return stored && parseRing(stored.value, configuration.ring)
  } catch (error) {
    if (isRefusal(error)) return undefined
    throw error
  }
}

/** What is on record of this ring. */
export function readRecord(
  ports: Pick<ObservationPorts, 'records' | 'configuration' | 'eventLog' | 'clock'>,
): Promise<DeliveryRecord | undefined> {
  return readRecordBy(ports, (text) => {
    const record = parseRecord(text)
    requirePast(record, ports.clock.now())
    const { ring, mode } = ports.configuration
    if (record.ring !== ring) return undefined
    return record.delivery === undefined ? record : { ...record, delivery: inMode(record.delivery, mode) }
  })
}

/** Writes the record of a situation that has a ring, over what another function may have written meanwhile. */
export async function saveRecord(ports: RotationPorts, situation: Situation): Promise<void> {
  const { delivery, carried } = situation
  if (delivery === undefined) return
  const ours = { ring: ports.configuration.ring, delivery, carried }
  // Of the first command of a version no other function has anything to say yet.
  const isFirst =
    delivery.canary === undefined &&
    delivery.attempts === 1 &&
    !delivery.commands.some(({ judged }) => judged)
  const merged = mergeRecords(
    ours,
    isFirst ? undefined : await readRecord(ports),
    ports.configuration.document.name,
  )
  await ports.records.write(serialiseRecord(merged))
}

/** @throws TicketringError `secret-without-current`. */
export async function readCurrent(versions: RingVersions): Promise<{ version: string; value: string }> {
  const stored = await versions.read('AWSCURRENT')
  if (stored !== undefined) return stored
  throw withoutValue()
}

function withoutValue(): TicketringError {
  return new TicketringError('secret-without-current', {
    wanted: 'a value under AWSCURRENT',
    came: 'none',
    fix: 'Move AWSCURRENT to the version that holds the ring; or put {} under it and revoke, which begins a new lineage',
  })
}
