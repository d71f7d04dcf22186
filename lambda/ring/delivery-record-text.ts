/** A delivery record as it stands in its parameter. */
import {
  DELIVERY_STATE_FIELDS,
  fitDeliveryState,
  parseBaseline,
  parseDeliveryState,
  parseScript,
} from '../fleet/delivery-state-text.ts'
import { TicketringError } from '../kernel/errors.ts'
import { Fields } from '../kernel/fields.ts'
import type {
  CanaryState,
  Carried,
  Delivery,
  DeliveryRecord,
  OldProcess,
  SpentToken,
} from './delivery-record.ts'

const MALFORMED = 'record-malformed'
/** Bytes of a record without stragglers. */
const LARGEST_BARE = 3000
const LATEST_GENERATION = 999_999_999

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
  const { holders: _, reading: __, releases: ___, programs: ____, ...needed } = delivery ?? {}
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

function parseDelivery(value: unknown): Delivery {
  const fields = Fields.of(value, 'delivery', MALFORMED, [
    'version',
    'lineage',
    'generation',
    'parent',
    'encryptsWith',
    'rotatedAt',
    'announced',
    'mode',
    'inUse',
    'drifted',
    'oldProcess',
    'canary',
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
    ...(fields.has('mode') ? { mode: fields.oneOf('mode', ['observe'] as const) } : {}),
    ...(fields.has('inUse') && fields.boolean('inUse') ? { inUse: true as const } : {}),
    ...(fields.has('drifted') ? { drifted: fields.integer('drifted', 1) } : {}),
    ...(fields.has('oldProcess') ? { oldProcess: parseOldProcess(fields.raw('oldProcess')) } : {}),
    ...(fields.has('canary') ? { canary: parseCanary(fields.raw('canary')) } : {}),
    ...parseDeliveryState(fields),
  }
}

function parseOldProcess(value: unknown): OldProcess {
  const fields = Fields.of(value, 'oldProcess', MALFORMED, ['instance', 'processes', 'began'])
  return {
    instance: fields.string('instance'),
    processes: fields.integer('processes', 1),
    began: fields.time('began'),
  }
}

function parseCanary(value: unknown): CanaryState {
  const fields = Fields.of(value, 'canary', MALFORMED, ['document', 'provedAt', 'passedAt', 'forced'])
  const forced = fields.has('forced') && fields.boolean('forced')
  return {
    ...(fields.has('document') ? { document: fields.string('document') } : {}),
    ...(fields.has('provedAt') ? { provedAt: fields.time('provedAt') } : {}),
    ...(fields.has('passedAt') ? { passedAt: fields.time('passedAt') } : {}),
    ...(forced ? { forced } : {}),
  }
}

function parseCarried(value: unknown): Carried {
  const names = [
    'baseline',
    'pending',
    'asked',
    'highest',
    'before',
    'passed',
    'scripts',
    'requests',
  ] as const
  const fields = Fields.of(value, 'carried', MALFORMED, names)
  const part = (name: (typeof names)[number], allowed: readonly string[]) =>
    Fields.of(fields.raw(name), name, MALFORMED, allowed)
  return {
    ...(fields.has('baseline') ? { baseline: parseBaseline(fields.raw('baseline')) } : {}),
    ...(fields.has('pending') ? { pending: parsePending(part('pending', ['version', 'since'])) } : {}),
    ...(fields.has('asked') ? { asked: parsePending(part('asked', ['version', 'since'])) } : {}),
    ...(fields.has('highest') ? { highest: parseHighest(part('highest', ['lineage', 'generation'])) } : {}),
    ...(fields.has('before') ? { before: parseBefore(part('before', ['generation', 'rotatedAt'])) } : {}),
    ...(fields.has('passed') ? { passed: fields.string('passed') } : {}),
    ...(fields.has('scripts') ? { scripts: fields.list('scripts', parseScript) } : {}),
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
