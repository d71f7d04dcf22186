import {
  type Delivery,
  type DeliveryRecord,
  parseRecord,
  serialiseRecord,
  undelivered,
} from '../core/delivery-record.ts'
import { isRefusal, TicketringError } from '../core/errors.ts'
import type { Fleet } from '../core/gate.ts'
import { parseRing } from '../core/ring.ts'
import type { RotationConfiguration } from '../core/rotation-configuration.ts'
import type { Situation } from '../core/situation.ts'
import type {
  Chance,
  Clock,
  Courier,
  Journal,
  Records,
  RingCommits,
  RingVersions,
  RollCall,
  Rotations,
} from './ports.ts'

/** All that the rotation story reaches outside by. */
export interface RotationPorts {
  readonly configuration: RotationConfiguration
  readonly versions: RingVersions
  readonly commits: RingCommits
  readonly rotations: Rotations
  readonly records: Records
  readonly rollCall: RollCall
  readonly courier: Courier
  readonly clock: Clock
  readonly chance: Chance
  readonly journal: Journal
}

/** What looking takes. Without `read` no ring is ever read: then what the record does not know stays unread. */
export interface ObservationPorts
  extends Pick<RotationPorts, 'configuration' | 'rollCall' | 'clock' | 'journal'> {
  readonly versions: Pick<RingVersions, 'labels'> & Partial<Pick<RingVersions, 'read'>>
  readonly records: Pick<Records, 'read'>
}

/**
 * Looks at what is. Reads the secret's value only where the record does not know the version that AWSCURRENT
 * names, so that an ordinary tick never holds a key.
 */
export async function observe(ports: ObservationPorts): Promise<Situation> {
  const [labels, record, fleet] = await Promise.all([
    ports.versions.labels(),
    readRecord(ports),
    callRoll(ports.rollCall),
  ])
  const known = record?.delivery?.version === labels.current ? record.delivery : undefined
  const found =
    known === undefined ? await discover(ports, labels.current) : { version: labels.current, delivery: known }
  return {
    now: ports.clock.now(),
    labels: { ...labels, current: found.version },
    carried: record?.carried ?? {},
    fleet,
    ...(found.delivery === undefined ? {} : { delivery: found.delivery }),
    ...('unread' in found ? { unread: found.unread } : {}),
  }
}

/** @returns the fleet; where Systems Manager refuses to say, that: a revoke does not wait for it. */
export async function callRoll(rollCall: RollCall): Promise<Fleet> {
  try {
    return { known: true, members: await rollCall.members() }
  } catch (error) {
    if (isRefusal(error, 'access-denied', 'throttled')) return { known: false, refusal: error.came }
    throw error
  }
}

/** A record is derived from what can be looked at again: a garbled one is as good as none. */
export async function readRecord({
  records,
  configuration,
  journal,
}: Pick<ObservationPorts, 'records' | 'configuration' | 'journal'>): Promise<DeliveryRecord | undefined> {
  const text = await records.read()
  if (text === undefined) return undefined
  try {
    const record = parseRecord(text)
    return record.ring === configuration.ring ? record : undefined
  } catch (error) {
    if (!isRefusal(error, 'record-malformed')) throw error
    journal.record({ kind: 'trouble', during: 'reading the delivery record', detail: error.message })
    return undefined
  }
}

/** Writes the record of a situation that has a ring. */
export async function saveRecord(
  { records, configuration }: RotationPorts,
  situation: Situation,
): Promise<void> {
  const { delivery, carried } = situation
  if (delivery === undefined) return
  const text = serialiseRecord({
    ring: configuration.ring,
    delivery,
    carried: { ...carried, highest: highestOf(delivery, carried) },
  })
  await records.write(text)
}

function highestOf({ lineage, generation }: Delivery, { highest }: Situation['carried']) {
  const same = highest?.lineage === lineage
  return { lineage, generation: same ? Math.max(highest.generation, generation) : generation }
}

async function discover(
  { versions, configuration }: ObservationPorts,
  current: string,
): Promise<{ version: string; delivery?: Delivery; unread?: true }> {
  if (versions.read === undefined) return { version: current, unread: true }
  const { version, value } = await readCurrent({ read: versions.read.bind(versions) })
  const ring = parseRing(value, configuration.ring)
  return { version, ...(ring === undefined ? {} : { delivery: undelivered(version, ring) }) }
}

/** @throws TicketringError `secret-without-current`. */
export async function readCurrent(
  versions: Pick<RingVersions, 'read'>,
): Promise<{ version: string; value: string }> {
  const stored = await versions.read('AWSCURRENT')
  if (stored !== undefined) return stored
  throw new TicketringError('secret-without-current', {
    wanted: 'a value under AWSCURRENT',
    came: 'none',
    fix: 'Put {} under AWSCURRENT to let the next reconcile tick make a new lineage',
  })
}
