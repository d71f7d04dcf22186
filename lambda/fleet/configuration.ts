import { TicketringError } from '../kernel/errors.ts'
import { parseJson } from '../kernel/fields.ts'
import { Inspection, Place } from '../kernel/inspection.ts'
import { integer, list, text } from '../kernel/kinds.ts'
import { type Kind, object, optional, setting, type Values } from '../kernel/settings.ts'

// Letters, digits and the signs that Run Command takes after `tag:`, which is no `+`, 128 with it in an association;
// `aws:` is reserved, and a wildcard would select other machines.
export const TAG_KEY = /^(?!aws:)[\w.:/=@-]{1,124}$/
const TAG_VALUE = /^[\w.:/=+@ -]{1,256}$/
const TAG_WANTED = 'a tag key of 1 to 124 letters, digits and _ . : / = @ - that does not begin with aws:'
const VALUES_WANTED = 'tag values without wildcards'

export const tagKey = text(TAG_KEY, TAG_WANTED)
// Run Command takes no more values for a key.
export const tagValues = list(text(TAG_VALUE, VALUES_WANTED), { least: 1, most: 5, of: VALUES_WANTED })

/** Which machines a function looks after: nothing of what selects them has a default. */
const TARGET = {
  tag: setting(tagKey, { says: 'key of the tag that makes a machine a member' }),
  values: setting(tagValues, { says: 'its values, one to five' }),
  minInstances: optional(integer(1), {
    says: 'fewer machines than this, 1 or more, hold the rotation; where it is set, no share counts',
  }),
  minShare: optional(integer(1, 100, 'percent'), {
    says: 'percent of the machines that were there: with fewer the rotation is held, until they have stayed away for hours. Stopped and terminated ones are not missed',
  }),
  maxConcurrency: optional(integer(1, 100, 'percent'), {
    says: 'percent of the machines that the first wave of a delivery reaches at the same time, at least one machine; a redelivery and a revoke go to all at once',
    usual: 10,
  }),
  maxFailures: optional(integer(0, 100, 'percent'), {
    says: 'percent of the machines that may fail before a first wave stops ahead of the others',
    usual: 5,
  }),
}
export const target = object(TARGET)
export type FleetTarget = Values<typeof TARGET>

export function minShareOf({ minShare = 50 }: FleetTarget): number {
  return minShare
}

export function maxFailuresOf({ maxFailures = 5 }: FleetTarget): number {
  return maxFailures
}

export function maxConcurrencyOf({ maxConcurrency = 10 }: FleetTarget): number {
  return maxConcurrency
}

const DOCUMENT = {
  name: setting(text(/./, "a document's name")),
  /** Named explicitly: `$LATEST` would let an edited document reach the fleet by itself. */
  version: setting(text(/^[1-9][0-9]*$/, 'a version number')),
  /** What every result line must name: the first 12 hex digits of the program's SHA-256. */
  script: setting(text(/^[0-9a-f]{12}$/, '12 hex digits')),
}
/** The document that a function sends. */
export const documentReference = object(DOCUMENT)
export type DocumentReference = Values<typeof DOCUMENT>

/** What every function is told of time beside its own settings, in seconds. */
export const COMMAND_TIMING = {
  /** From one scheduled look to the next. */
  tick: setting(integer(1)),
  /** How long a command may wait for an instance, then run there: together less than a redelivery period. */
  delivery: setting(integer(1)),
  execution: setting(integer(1)),
}

export const PARAMETER_NAME = text(/^\//, 'a parameter name')

/**
 * Reads the JSON that a construct has put into a function's environment.
 * @throws TicketringError `configuration-invalid` that lists every problem with its path, what was wanted and what came.
 */
export function readVariable<T>(
  value: string | undefined,
  { name, construct, kind }: { readonly name: string; readonly construct: string; readonly kind: Kind<T> },
): T {
  if (value === undefined) {
    throw new TicketringError('configuration-invalid', {
      wanted: `the environment variable ${name}`,
      came: 'none',
      fix: `Deploy the function with the ${construct} construct, which sets it`,
    })
  }
  const inspection = new Inspection()
  const json = parseJson(value, 'the configuration', 'configuration-invalid')
  const configuration = kind.read(json, new Place(inspection, name), {})
  inspection.settle(`${name} as the ${construct} construct sets it`)
  return Object.freeze(configuration)
}
