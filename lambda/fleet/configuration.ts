import { TicketringError } from '../kernel/errors.ts'
import { Fields } from '../kernel/fields.ts'

/** The document that a function sends. */
export interface DocumentReference {
  readonly name: string
  /** Named explicitly: `$LATEST` would let an edited document reach the fleet by itself. */
  readonly version: string
  /** What every result line must name: the first 12 hex digits of the program's SHA-256. */
  readonly script: string
}

/** Which machines a function looks after. */
export interface FleetTarget {
  readonly tag: string
  readonly values: readonly string[]
  /** With fewer machines than this nothing goes on; where it is set, no other bound counts. */
  readonly minInstances?: number
  /** Percent of the machines that were there which have to be there still: {@link minShareOf}. */
  readonly minShare?: number
  /** Percent of the machines that may fail before the others are spared: {@link maxFailuresOf}. */
  readonly maxFailures?: number
}

export function minShareOf({ minShare = 50 }: FleetTarget): number {
  return minShare
}

export function maxFailuresOf({ maxFailures = 5 }: FleetTarget): number {
  return maxFailures
}

const CODE = 'configuration-invalid'
const BOUNDS = ['minInstances', 'minShare', 'maxFailures'] as const

/** @throws TicketringError `configuration-invalid` where a function's environment lacks its variable. */
export function requireVariable(text: string | undefined, name: string, construct: string): string {
  if (text !== undefined) return text
  throw new TicketringError(CODE, {
    wanted: `the environment variable ${name}`,
    came: 'none',
    fix: `Deploy the function with the ${construct} construct, which sets it`,
  })
}

/** @throws TicketringError `configuration-invalid` naming the field. */
export function parseDocumentReference(value: unknown): DocumentReference {
  const fields = Fields.of(value, 'document', CODE, ['name', 'version', 'script'])
  return {
    name: fields.string('name'),
    version: fields.string('version', /^[1-9][0-9]*$/, 'a version number'),
    script: fields.string('script', /^[0-9a-f]{12}$/, '12 hex digits'),
  }
}

/** @throws TicketringError `configuration-invalid` naming the field. */
export function parseFleetTarget(value: unknown): FleetTarget {
  const fields = Fields.of(value, 'target', CODE, ['tag', 'values', ...BOUNDS])
  return {
    tag: fields.string('tag'),
    values: fields.list('values', (each) =>
      typeof each === 'string' && each !== '' ? each : fields.refuse('values', 'tag values'),
    ),
    ...(fields.has('minInstances') ? { minInstances: fields.integer('minInstances', 1) } : {}),
    ...(fields.has('minShare') ? { minShare: percent(fields, 'minShare', 1) } : {}),
    ...(fields.has('maxFailures') ? { maxFailures: percent(fields, 'maxFailures', 0) } : {}),
  }
}

function percent(fields: Fields, name: 'minShare' | 'maxFailures', least: number): number {
  const value = fields.integer(name, least)
  return value <= 100 ? value : fields.refuse(name, 'a percentage, 100 at most', String(value))
}
