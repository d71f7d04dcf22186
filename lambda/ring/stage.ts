import { isRefusal, TicketringError } from '../kernel/errors.ts'
import { later } from '../kernel/time.ts'
import { REVOKING } from './labels.ts'
import { type RotationPorts, readRing } from './observation.ts'
import { advance, genesis, type Making, parseRing, type Ring, revoke, serialiseRing } from './ring.ts'
import type { Situation } from './situation.ts'
import { type Origin, tokensFor } from './tokens.ts'

/** What to commit, and on behalf of whom. */
export interface Commission {
  readonly origin: Origin
  readonly token?: string | undefined
  /** Only maxKeyAge lets it pass. */
  readonly forced?: boolean
}

/** A ring that was staged longer ago than this is no attempt that a function is still making (s). */
const FRESH = 30 * 60

/** A version that waits for its commit, and the ring in it. */
export interface Staged {
  readonly version: string
  readonly ring: Ring
}

/**
 * Stages the next ring under the name that its parent gives it. What was staged under that name before is used, unless
 * it has been in use, is old or is no ring: then the next name is. Every attempt passes the same names over, so that
 * concurrent ones still meet.
 */
export async function stageNext(
  ports: RotationPorts,
  situation: Situation,
  { origin, token }: Commission,
): Promise<Staged> {
  const base = await readBase(ports, situation)
  for (const version of tokensFor(origin, ports.configuration.secret, base.version, token)) {
    const ring = await put(ports, version, nextRing(ports, situation, base, origin), origin)
    if (ring !== undefined && !isSpent(ring, situation)) return { version, ring }
  }
  throw new TicketringError('version-conflict', {
    wanted: `a version derived from ${base.version} that is still to be used`,
    came: 'staged rings that were never committed, under every name there is for one',
    fix: 'See in the log why AWSCURRENT does not move; names become free a day after they were taken',
  })
}

/** Stages the next ring in Secrets Manager's own version, whose value, where it has one, counts. */
export async function stageAs(
  ports: RotationPorts,
  situation: Situation,
  { version, rotationToken }: { readonly version: string; readonly rotationToken?: string | undefined },
): Promise<Ring> {
  const ring = nextRing(ports, situation, await readBase(ports, situation), 'advance')
  return required(await put(ports, version, ring, 'advance', rotationToken), version)
}

/** Its keys may have been in use, or its age would make it overdue at once. */
function isSpent({ lineage, generation, rotatedAt }: Ring, { carried, now }: Situation): boolean {
  const { highest } = carried
  const wasDelivered = highest?.lineage === lineage && generation <= highest.generation
  return wasDelivered || now >= later(rotatedAt, FRESH)
}

interface Base {
  readonly version: string
  readonly ring: Ring | undefined
}

/** By its version, not by its stage: what the labels said is what the compare-and-set holds us to. */
async function readBase({ versions, configuration }: RotationPorts, { labels }: Situation): Promise<Base> {
  const { current: version } = labels
  const stored = await versions.read({ version })
  if (stored === undefined) throw moved(version, 'a version without a value')
  return { version, ring: parseRing(stored.value, configuration.ring) }
}

function nextRing(
  { configuration, chance }: RotationPorts,
  situation: Situation,
  base: Base,
  origin: Origin,
): Ring {
  const making: Making = { parent: base.version, now: situation.now, random: chance.random }
  if (base.ring === undefined) return genesis(configuration.ring, chance.uuid(), making)
  const { highest } = situation.carried
  const known = highest?.lineage === base.ring.lineage ? highest.generation : 0
  // Generations only grow, also where an operator moved AWSCURRENT back.
  const generation = Math.max(base.ring.generation, known) + 1
  return origin === 'revoke' ? revoke(base.ring, making, generation) : advance(base.ring, making, generation)
}

/**
 * Versions are immutable: where this one already has a value, that one counts.
 * @returns the ring that the version holds; `undefined` where something else was put there.
 */
async function put(
  ports: RotationPorts,
  version: string,
  ring: Ring,
  origin: Origin,
  rotationToken?: string,
): Promise<Ring | undefined> {
  const value = serialiseRing(ring)
  // What could not be read any more must not be written: a parent's name of a form that no ring may have, say.
  parseRing(value, ring.ring)
  try {
    const label = origin === 'revoke' ? REVOKING : 'AWSPENDING'
    await ports.commits.stage(version, value, { label, rotationToken })
    return ring
  } catch (error) {
    if (!isRefusal(error, 'version-conflict')) throw error
    if ((await ports.versions.read({ version })) === undefined) throw error
    return readRing(ports, version)
  }
}

/** @throws TicketringError `token-unknown` where a version holds no ring. */
export function required(ring: Ring | undefined, version: string): Ring {
  if (ring !== undefined) return ring
  throw new TicketringError('token-unknown', { wanted: `a staged ring in version ${version}`, came: 'none' })
}

function moved(wanted: string, came: string): TicketringError {
  return new TicketringError('label-moved', {
    wanted: `AWSCURRENT on ${wanted}`,
    came: `AWSCURRENT on ${came}`,
    fix: 'Another function committed meanwhile; nothing has changed here',
  })
}
