import { TicketringError } from './errors.ts'
import { Fields } from './fields.ts'

/** The document that a function sends. */
export interface DocumentReference {
  readonly name: string
  /** Named explicitly: `$LATEST` would let an edited document reach the fleet by itself. */
  readonly version: string
  /** What every result line must name: the first 12 hex digits of the script's SHA-256. */
  readonly script: string
}

/** Which machines a function looks after. */
export interface FleetTarget {
  readonly tag: string
  readonly values: readonly string[]
  /** With fewer machines than this nothing goes on. */
  readonly minInstances: number
}

const CODE = 'configuration-invalid'

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
  const fields = Fields.of(value, 'target', CODE, ['tag', 'values', 'minInstances'])
  return {
    tag: fields.string('tag'),
    values: fields.list('values', (each) =>
      typeof each === 'string' && each !== '' ? each : fields.refuse('values', 'tag values'),
    ),
    minInstances: fields.integer('minInstances', 0),
  }
}
