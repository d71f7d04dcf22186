import {
  type DocumentReference,
  type FleetTarget,
  parseDocumentReference,
  parseFleetTarget,
  requireVariable,
} from '../fleet/configuration.ts'
import { Fields } from '../kernel/fields.ts'

/** Name of the rotation function's one environment variable: {@link RotationConfiguration} as JSON. */
export const ROTATION_VARIABLE = 'TICKETRING_ROTATION'

/** What the rotation function is told at deploy time. Durations in whole seconds. */
export interface RotationConfiguration {
  readonly ring: string
  /** ARN of the ring's secret. */
  readonly secret: string
  readonly document: DocumentReference
  readonly target: FleetTarget
  /** Name of the SSM parameter that holds the delivery record. */
  readonly record: string
  readonly timing: RotationTiming
  readonly trigger: 'schedule' | 'secrets-manager'
  /** The first ring is not made by a tick: an owner's own keys, or an operator, come first. */
  readonly start?: 'paused'
}

export interface RotationTiming {
  /** T: from one advance to the next. */
  readonly every: number
  /** How much earlier than T a schedule's window may fire. */
  readonly window: number
  /** L: how long a ticket lives. */
  readonly ticketLifetime: number
  /** From this age on the ring advances though machines are missing, and pages. */
  readonly maxKeyAge: number
  /** From one reconcile tick to the next. */
  readonly tick: number
  /** How long a command may wait for an instance, then run there: together less than a redelivery period. */
  readonly delivery: number
  readonly execution: number
}

/** @throws TicketringError `configuration-invalid` naming the field. */
export function parseRotationConfiguration(text: string | undefined): RotationConfiguration {
  const variable = requireVariable(text, ROTATION_VARIABLE, 'TicketKeyRing')
  const fields = Fields.ofJson(variable, 'the configuration', 'configuration-invalid', [
    'ring',
    'secret',
    'document',
    'target',
    'record',
    'timing',
    'trigger',
    'start',
  ])
  return Object.freeze({
    ring: fields.name('ring', 'a ring name'),
    secret: fields.string('secret', /^arn:/, 'an ARN'),
    document: parseDocumentReference(fields.raw('document')),
    target: parseFleetTarget(fields.raw('target')),
    record: fields.string('record', /^\//, 'a parameter name'),
    timing: parseTiming(fields.raw('timing')),
    trigger: fields.oneOf('trigger', ['schedule', 'secrets-manager'] as const),
    ...(fields.has('start') ? { start: fields.oneOf('start', ['paused'] as const) } : {}),
  })
}

/** The inverse of {@link parseRotationConfiguration}. */
export function serialiseRotationConfiguration(configuration: RotationConfiguration): string {
  return JSON.stringify(configuration)
}

function parseTiming(value: unknown): RotationTiming {
  const names = ['every', 'window', 'ticketLifetime', 'maxKeyAge', 'tick', 'delivery', 'execution'] as const
  const fields = Fields.of(value, 'timing', 'configuration-invalid', names)
  const timing = {
    every: fields.integer('every', 1),
    window: fields.integer('window', 0),
    ticketLifetime: fields.integer('ticketLifetime', 1),
    maxKeyAge: fields.integer('maxKeyAge', 1),
    tick: fields.integer('tick', 1),
    delivery: fields.integer('delivery', 1),
    execution: fields.integer('execution', 1),
  }
  if (timing.ticketLifetime * 2 > timing.every) fields.refuse('ticketLifetime', 'at most half of "every"')
  if (timing.maxKeyAge <= timing.every) fields.refuse('maxKeyAge', 'more than "every"')
  return timing
}
