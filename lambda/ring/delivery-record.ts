import {
  DELIVERY_STATE_FIELDS,
  type DeliveryState,
  fitDeliveryState,
  parseBaseline,
  parseDeliveryState,
} from '../fleet/delivery-state.ts'
import type { Baseline } from '../fleet/expected-members.ts'
import { TicketringError } from '../kernel/errors.ts'
import { Fields } from '../kernel/fields.ts'
import type { Ring } from './ring.ts'

/** What is public about a ring: enough for a tick to decide without touching key bytes. */
export interface RingFacts {
  /** VersionId that holds the ring. */
  readonly version: string
  readonly lineage: string
  readonly generation: number
  /** VersionId that the ring was derived from. */
  readonly parent: string
  /** Name of the `current` key. */
  readonly encryptsWith: string
  readonly rotatedAt: Date
}

/** How far one version of the ring has got in the fleet. */
export interface Delivery extends RingFacts, DeliveryState {
  /** The longest lifetime of a ticket that a machine which confirmed announced, in seconds. */
  readonly announced?: number
}

/** What outlives a version. */
export interface Carried {
  /** The size of the fleet that its present one is measured against. */
  readonly baseline?: Baseline
  /** An AWSPENDING that was not ours, and since when it has been seen. */
  readonly pending?: { readonly version: string; readonly since: Date }
  /** Since when Secrets Manager has been asked to replace this version. */
  readonly asked?: { readonly version: string; readonly since: Date }
  /** The highest generation that was ever delivered in this lineage. */
  readonly highest?: { readonly lineage: string; readonly generation: number }
  /** The generation before the one delivered, and when it began: since then its key has encrypted. */
  readonly before?: { readonly generation: number; readonly rotatedAt: Date }
  /** The last tokens that callers gave, newest last, and what came of them. */
  readonly requests?: readonly SpentToken[]
}

export interface SpentToken {
  readonly token: string
  readonly generation: number
}

/** The delivery record: an SSM parameter below 4 kB. A delivery of another version than AWSCURRENT is ignored. */
export interface DeliveryRecord {
  readonly ring: string
  readonly delivery?: Delivery
  readonly carried: Carried
}

/**
 * What to write where another function has written meanwhile: a newer generation is never replaced, nor what is
 * remembered of callers forgotten.
 */
export function mergeRecords(
  ours: DeliveryRecord & { readonly delivery: Delivery },
  theirs: DeliveryRecord | undefined,
): DeliveryRecord {
  const before = theirs?.ring === ours.ring ? theirs : undefined
  const { delivery } = ours
  const isOlder =
    before?.delivery?.lineage === delivery.lineage && before.delivery.generation > delivery.generation
  return {
    ring: ours.ring,
    delivery: isOlder ? before.delivery : delivery,
    carried: mergeCarried(ours.carried, before?.carried, delivery),
  }
}

function mergeCarried(
  ours: Carried,
  theirs: Carried | undefined,
  { lineage, generation }: Delivery,
): Carried {
  const known = [ours.highest, theirs?.highest].map((each) =>
    each?.lineage === lineage ? each.generation : 0,
  )
  const mine = ours.requests ?? []
  const others = (theirs?.requests ?? []).filter(({ token }) => mine.every((each) => each.token !== token))
  const requests = [...others, ...mine].slice(-MOST_REQUESTS)
  return {
    ...ours,
    highest: { lineage, generation: Math.max(generation, ...known) },
    ...(requests.length === 0 ? {} : { requests }),
  }
}

/** What outlives a version, once `delivery` is of another one than the record's: from when to when the one before was current. */
export function carriedTo(
  delivery: Delivery | undefined,
  record: Pick<DeliveryRecord, 'delivery' | 'carried'>,
): Carried {
  const { delivery: last, carried } = record
  const precedes = last?.lineage === delivery?.lineage && last?.generation === (delivery?.generation ?? 0) - 1
  if (last === undefined || !precedes) return carried
  return { ...carried, before: { generation: last.generation, rotatedAt: last.rotatedAt } }
}

export const MOST_REQUESTS = 4
/** Bytes of a record without stragglers. */
const LARGEST_BARE = 3000
const LATEST_GENERATION = 999_999_999

/** Of a ring that nothing has been sent for yet. */
export function undelivered(version: string, ring: Ring): Delivery {
  return {
    version,
    lineage: ring.lineage,
    generation: ring.generation,
    parent: ring.parent,
    encryptsWith: ring.current.name,
    rotatedAt: ring.rotatedAt,
    commands: [],
    attempts: 0,
    members: 0,
    confirmed: 0,
    stragglers: [],
  }
}

/** @throws TicketringError `record-malformed`. */
export function parseRecord(text: string): DeliveryRecord {
  const fields = Fields.ofJson(text, 'a delivery record', MALFORMED, ['v', 'ring', 'delivery', 'carried'])
  if (fields.integer('v', 1) !== 1) fields.refuse('v', 'the number 1')
  const record = {
    ring: fields.string('ring'),
    ...(fields.has('delivery') ? { delivery: parseDelivery(fields.raw('delivery')) } : {}),
    carried: parseCarried(fields.raw('carried')),
  }
  // What could not be written again, with what a run adds, would stop every later one.
  if (bareSize(record) > LARGEST_BARE) fields.refuse('delivery', 'less text than a parameter holds')
  return record
}

/** Seconds that two functions' clocks may differ. */
const CLOCKS_DIFFER = 300
/** Seconds that the next delivery is ahead at most: the longest back-off of the longest tick. */
const LATEST_NEXT = 8 * 3600

/** @throws TicketringError `record-malformed` where a record is dated ahead: what waits for its age would wait for ever. */
export function requirePast(record: DeliveryRecord, now: Date): void {
  const { nextAt, ...delivery } = record.delivery ?? {}
  const isAhead = (time: Date, seconds: number) => time.getTime() > now.getTime() + seconds * 1000
  const past = timesIn({ ...record, delivery }).find((time) => isAhead(time, CLOCKS_DIFFER))
  const ahead = nextAt !== undefined && isAhead(nextAt, LATEST_NEXT) ? nextAt : past
  if (ahead === undefined) return
  const wanted = `a delivery record with no time after ${now.toISOString()}`
  throw new TicketringError(MALFORMED, { wanted, came: ahead.toISOString() })
}

function timesIn(value: unknown): readonly Date[] {
  if (value instanceof Date) return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(timesIn) : []
}

/** Without what is left out where there is no room for it. */
function bareSize({ delivery, ...rest }: DeliveryRecord): number {
  const { holders: _, reading: __, releases: ___, ...needed } = delivery ?? {}
  return Buffer.byteLength(JSON.stringify({ ...rest, delivery: delivery && { ...needed, stragglers: [] } }))
}

/** No ring may say a later generation in its value, with room for those to come. */
function parseGeneration(fields: Fields): number {
  const generation = fields.integer('generation', 1)
  if (generation > LATEST_GENERATION) fields.refuse('generation', `at most ${LATEST_GENERATION}`)
  return generation
}

/** The inverse of {@link parseRecord}; drops reasons, then stragglers, until the text fits a parameter. */
export function serialiseRecord(record: DeliveryRecord): string {
  const { delivery } = record
  if (delivery === undefined) return JSON.stringify({ v: 1, ...record })
  return fitDeliveryState(delivery, (fitting) => JSON.stringify({ v: 1, ...record, delivery: fitting }))
}

const MALFORMED = 'record-malformed'

function parseDelivery(value: unknown): Delivery {
  const fields = Fields.of(value, 'delivery', MALFORMED, [
    'version',
    'lineage',
    'generation',
    'parent',
    'encryptsWith',
    'rotatedAt',
    'announced',
    ...DELIVERY_STATE_FIELDS,
  ])
  return {
    version: fields.string('version'),
    lineage: fields.string('lineage'),
    generation: parseGeneration(fields),
    parent: fields.string('parent'),
    encryptsWith: fields.string('encryptsWith', /^[0-9a-f]{32}$/, '32 hex digits'),
    rotatedAt: fields.time('rotatedAt'),
    ...(fields.has('announced') ? { announced: fields.integer('announced', 1) } : {}),
    ...parseDeliveryState(fields),
  }
}

function parseCarried(value: unknown): Carried {
  const names = ['baseline', 'pending', 'asked', 'highest', 'before', 'requests'] as const
  const fields = Fields.of(value, 'carried', MALFORMED, names)
  const part = (name: (typeof names)[number], allowed: readonly string[]) =>
    Fields.of(fields.raw(name), name, MALFORMED, allowed)
  return {
    ...(fields.has('baseline') ? { baseline: parseBaseline(fields.raw('baseline')) } : {}),
    ...(fields.has('pending') ? { pending: parsePending(part('pending', ['version', 'since'])) } : {}),
    ...(fields.has('asked') ? { asked: parsePending(part('asked', ['version', 'since'])) } : {}),
    ...(fields.has('highest') ? { highest: parseHighest(part('highest', ['lineage', 'generation'])) } : {}),
    ...(fields.has('before') ? { before: parseBefore(part('before', ['generation', 'rotatedAt'])) } : {}),
    ...(fields.has('requests') ? { requests: fields.list('requests', parseSpentToken) } : {}),
  }
}

function parsePending(fields: Fields) {
  return { version: fields.string('version'), since: fields.time('since') }
}

function parseHighest(fields: Fields) {
  return { lineage: fields.string('lineage'), generation: parseGeneration(fields) }
}

function parseBefore(fields: Fields) {
  return { generation: parseGeneration(fields), rotatedAt: fields.time('rotatedAt') }
}

function parseSpentToken(value: unknown): SpentToken {
  const fields = Fields.of(value, 'a request', MALFORMED, ['token', 'generation'])
  return { token: fields.string('token'), generation: parseGeneration(fields) }
}
