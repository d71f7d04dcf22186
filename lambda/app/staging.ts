import { isRefusal, TicketringError } from '../core/errors.ts'
import { later } from '../core/gate.ts'
import { advance, genesis, type Making, parseRing, type Ring, revoke, serialiseRing } from '../core/ring.ts'
import type { Situation } from '../core/situation.ts'
import { type Origin, tokensFor } from '../core/tokens.ts'
import type { RotationPorts } from './observation.ts'

/** What to commit: on behalf of whom, and, where it was staged before, under which version. */
export interface Commission {
  readonly origin: Origin
  readonly token?: string | undefined
  readonly version?: string | undefined
}

/** A ring that was staged longer ago than this is no attempt that somebody is still making (s). */
const FRESH = 30 * 60

export interface Found {
  readonly version: string
  /** What an earlier or concurrent attempt staged there. */
  readonly stored: Ring | undefined
}

/**
 * The version to commit: what was staged for the same purpose is used, unless it has been in use before or is old. Every
 * attempt passes the same versions over, so that concurrent ones still meet.
 */
export async function findVersion(
  ports: RotationPorts,
  situation: Situation,
  { origin, token, version: staged }: Commission,
): Promise<Found> {
  if (staged !== undefined) return { version: staged, stored: await readStored(ports, staged) }
  const { current: parent } = situation.labels
  const tokens = tokensFor(origin, ports.configuration.secret, parent, token)
  for (const version of tokens) {
    const stored = await readStored(ports, version)
    if (stored === undefined || !isSpent(stored, situation)) return { version, stored }
  }
  throw new RangeError(`${tokens.length} versions were derived from ${parent} and none of them promoted`)
}

async function readStored(
  { versions, configuration }: RotationPorts,
  version: string,
): Promise<Ring | undefined> {
  const found = await versions.read({ version })
  return found && required(parseRing(found.value, configuration.ring), version)
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
  // Generations only grow, also where somebody moved AWSCURRENT back.
  const generation = Math.max(base.ring.generation, known) + 1
  return origin === 'revoke' ? revoke(base.ring, making, generation) : advance(base.ring, making, generation)
}

/**
 * Puts the next ring under AWSPENDING. Versions are immutable: where this one already has a value, that one counts.
 * @returns the ring that the version holds.
 */
export async function stageRing(
  ports: RotationPorts,
  situation: Situation,
  { origin, version, rotationToken }: Staging,
): Promise<Ring> {
  const { versions, commits, configuration } = ports
  const ring = nextRing(ports, situation, await readBase(ports, situation), origin)
  try {
    await commits.stage(version, serialiseRing(ring), rotationToken)
    return ring
  } catch (error) {
    if (!isRefusal(error, 'version-conflict')) throw error
    const theirs = await versions.read({ version })
    if (theirs === undefined) throw error
    return required(parseRing(theirs.value, configuration.ring), version)
  }
}

interface Staging {
  readonly origin: Origin
  readonly version: string
  readonly rotationToken?: string | undefined
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
    fix: 'Somebody else committed meanwhile; nothing has changed here',
  })
}
