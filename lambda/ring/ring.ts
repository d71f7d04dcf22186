import { TicketringError } from '../kernel/errors.ts'
import { Fields } from '../kernel/fields.ts'
import { type RandomBytes, TicketKey } from './ticket-key.ts'

/**
 * Three ticket keys, oldest to newest. `current` encrypts, all three decrypt: a machine that lags one generation
 * behind loses nothing, because it already holds `next` and the others still hold its `current`.
 */
export interface Ring {
  /** The ring's name, as configured. */
  readonly ring: string
  /** A UUID made with generation 1: generations compare within a lineage only. */
  readonly lineage: string
  /** Counts from 1, by one at each advance or revoke. */
  readonly generation: number
  /** VersionId of the secret version this ring was derived from. */
  readonly parent: string
  /** When this generation was made. */
  readonly rotatedAt: Date
  readonly previous: TicketKey
  readonly current: TicketKey
  readonly next: TicketKey
}

/** What making a ring takes from outside. */
export interface Making {
  /** VersionId that the new ring is derived from. */
  readonly parent: string
  readonly now: Date
  readonly random: RandomBytes
}

/** The secret's constant first value: no ring yet. A deploy must never write it again. */
export const UNINITIALISED = '{}'

/** Generation 1 of a new lineage. */
export function genesis(ring: string, lineage: string, { parent, now, random }: Making): Ring {
  return sound({ ring, lineage, generation: 1, parent, rotatedAt: now, ...drawKeys(random) })
}

/** Generation 1 of a new lineage over the keys a fleet already runs on, oldest to newest. */
export function adopt(
  ring: string,
  lineage: string,
  now: Date,
  keys: Readonly<Record<'previous' | 'current' | 'next', TicketKey>>,
): Ring {
  return sound({ ring, lineage, generation: 1, parent: 'adopted', rotatedAt: now, ...keys })
}

/** The next generation: `previous` is dropped, every other key moves up, a fresh key becomes `next`. */
export function advance(ring: Ring, { parent, now, random }: Making, generation = ring.generation + 1): Ring {
  return sound({
    ...ring,
    generation,
    parent,
    rotatedAt: now,
    previous: ring.current,
    current: ring.next,
    next: TicketKey.draw(random),
  })
}

/** The next generation with three fresh keys: no ticket of any earlier one is accepted any more. */
export function revoke(ring: Ring, { parent, now, random }: Making, generation = ring.generation + 1): Ring {
  return sound({ ...ring, generation, parent, rotatedAt: now, ...drawKeys(random) })
}

/** True if no key of `ring` is a key of `other`: a ticket of one is refused under the other. */
export function sharesNoKey(ring: Ring, other: Ring): boolean {
  return !keysOf(ring).some((key) => keysOf(other).some((theirs) => theirs.overlaps(key)))
}

/** The keys oldest to newest, as HAProxy wants them. */
export function keysOf(ring: Ring): readonly [TicketKey, TicketKey, TicketKey] {
  return [ring.previous, ring.current, ring.next]
}

const FIELDS = [
  'schema',
  'ring',
  'lineage',
  'generation',
  'parent',
  'rotatedAt',
  'previous',
  'current',
  'next',
] as const

/**
 * Reads the secret's value: flat JSON of strings.
 * @param text the SecretString.
 * @param name the ring's configured name.
 * @returns the ring, or `undefined` where the secret holds exactly {@link UNINITIALISED}.
 * @throws TicketringError `ring-malformed`, `ring-of-another-schema`, `ring-of-another-name`, `key-weak`, `key-repeated`.
 */
export function parseRing(text: string, name: string): Ring | undefined {
  if (text === UNINITIALISED) return undefined
  const fields = Fields.ofJson(text, 'a ring', 'ring-malformed', FIELDS)
  refuseOtherSchema(fields)
  const ring = fields.string('ring')
  if (ring !== name) {
    throw new TicketringError('ring-of-another-name', {
      wanted: `the ring "${name}"`,
      came: `the ring "${ring.slice(0, 64)}"`,
      fix: 'Point this function at its own secret',
    })
  }
  return sound({
    ring,
    lineage: fields.string('lineage', UUID, 'a UUID'),
    generation: Number(fields.string('generation', /^[1-9][0-9]{0,11}$/, 'a positive whole number')),
    parent: fields.string('parent', /^[\x21-\x7e]{1,64}$/, 'a VersionId'),
    rotatedAt: fields.time('rotatedAt'),
    previous: TicketKey.parse(fields.string('previous')),
    current: TicketKey.parse(fields.string('current')),
    next: TicketKey.parse(fields.string('next')),
  })
}

/** The inverse of {@link parseRing}: key material, for the secret's value alone. */
export function serialiseRing(ring: Ring): string {
  return JSON.stringify({
    schema: SCHEMA,
    ring: ring.ring,
    lineage: ring.lineage,
    generation: String(ring.generation),
    parent: ring.parent,
    rotatedAt: ring.rotatedAt.toISOString(),
    previous: ring.previous.serialise(),
    current: ring.current.serialise(),
    next: ring.next.serialise(),
  })
}

const SCHEMA = '1'
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function refuseOtherSchema(fields: Fields): void {
  const schema = fields.string('schema')
  if (schema === SCHEMA) return
  throw new TicketringError('ring-of-another-schema', {
    wanted: `a ring of schema "${SCHEMA}"`,
    came: `schema "${schema.slice(0, 16)}"`,
    fix: 'Deploy the release that wrote this secret, or a newer one',
  })
}

function drawKeys(random: RandomBytes): Pick<Ring, 'previous' | 'current' | 'next'> {
  return { previous: TicketKey.draw(random), current: TicketKey.draw(random), next: TicketKey.draw(random) }
}

/** @throws TicketringError `key-repeated` if two keys of the ring share a name, an AES or an HMAC key. */
function sound(ring: Ring): Ring {
  const { previous, current, next } = ring
  if (previous.overlaps(current) || current.overlaps(next) || previous.overlaps(next)) {
    throw new TicketringError('key-repeated', {
      wanted: 'three keys that share no name, AES key or HMAC key',
      came: `the key names ${keysOf(ring)
        .map((key) => key.name)
        .join(', ')}`,
    })
  }
  return Object.freeze(ring)
}
