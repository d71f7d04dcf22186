import { createHash } from 'node:crypto'
import type { DeliveryState } from '../fleet/delivery-state.ts'
import {
  DELIVERY_STATE_FIELDS,
  fitDeliveryState,
  parseBaseline,
  parseDeliveryState,
} from '../fleet/delivery-state-text.ts'
import type { Measured } from '../fleet/expected-members.ts'
import { Fields } from '../kernel/fields.ts'
import { digestOf, type StapleEntry } from './entry.ts'

/** What each machine is to hold of the certificates it has: id to digest of the response, or `withdrawn`. */
export type DesiredStaples = ReadonlyMap<string, string>

/** How far the desired staples have got in the fleet. */
export interface StapleDelivery extends DeliveryState {
  /** {@link desiredDigest} of it. */
  readonly holding: string
  /** How many staples had drifted on machines and were put right, as the commands of this holding told. */
  readonly drifted?: number
}

/** The delivery record of a set: an SSM parameter below 4 kB. */
export interface StapleRecord {
  readonly set: string
  readonly delivery?: StapleDelivery
  readonly carried: Measured
}

const MALFORMED = 'record-malformed'

/** What machines are told of these certificates. Nothing is told of one that never had a staple. */
export function desiredOf(entries: readonly StapleEntry[]): DesiredStaples {
  return new Map(
    entries
      .filter(({ state }) => state !== 'none')
      .map((entry) => [entry.id, desiredFor(entry)] as const)
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  )
}

function desiredFor({ state, response }: StapleEntry): string {
  return state === 'staple' && response !== undefined ? digestOf(response.der) : 'withdrawn'
}

/** Identifies desired staples: 32 hex digits. */
export function desiredDigest(holding: DesiredStaples): string {
  const text = [...holding].map(([id, desired]) => `${id}=${desired}`).join('\n')
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

/** Certificates of which two holdings say different things. */
export function changesOf(before: DesiredStaples, after: DesiredStaples): readonly string[] {
  return [...after.keys()].filter((id) => before.get(id) !== after.get(id))
}

/** Of desired staples that nothing has been sent for yet. */
export function unsent(holding: string): StapleDelivery {
  return { holding, commands: [], attempts: 0, members: 0, confirmed: 0, stragglers: [] }
}

/** @throws TicketringError `record-malformed`. */
export function parseStapleRecord(text: string): StapleRecord {
  const fields = Fields.ofJson(text, 'a delivery record', MALFORMED, ['v', 'set', 'delivery', 'baseline'])
  if (fields.integer('v', 1) !== 1) fields.refuse('v', 'the number 1')
  return {
    set: fields.string('set'),
    ...(fields.has('delivery') ? { delivery: parseDelivery(fields.raw('delivery')) } : {}),
    carried: fields.has('baseline') ? { baseline: parseBaseline(fields.raw('baseline')) } : {},
  }
}

/** The inverse of {@link parseStapleRecord}; leaves out stragglers until the text fits a parameter. */
export function serialiseStapleRecord({ set, delivery, carried }: StapleRecord): string {
  if (delivery === undefined) return JSON.stringify({ v: 1, set, ...carried })
  return fitDeliveryState(delivery, (fitting) => JSON.stringify({ v: 1, set, delivery: fitting, ...carried }))
}

function parseDelivery(value: unknown): StapleDelivery {
  const fields = Fields.of(value, 'delivery', MALFORMED, ['holding', 'drifted', ...DELIVERY_STATE_FIELDS])
  const drifted = fields.has('drifted') ? { drifted: fields.integer('drifted', 1) } : {}
  return { holding: fields.string('holding'), ...drifted, ...parseDeliveryState(fields) }
}
