import type { Situation } from '../core/decision.ts'
import { type Carried, MOST_REQUESTS, undelivered } from '../core/delivery-record.ts'
import { isRefusal, TicketringError } from '../core/errors.ts'
import { advance, genesis, type Making, parseRing, type Ring, revoke, serialiseRing } from '../core/ring.ts'
import { type Origin, requestMark, tokenFor } from '../core/tokens.ts'
import { type RotationPorts, readCurrent } from './observation.ts'

/** A revoke that loses this often in a row meets something that no repetition mends. */
const MOST_TRIES = 10

/** What to commit: on behalf of whom, and, where it was staged before, under which version. */
export interface Commission {
  readonly origin: Origin
  readonly token?: string | undefined
  readonly version?: string | undefined
}

/**
 * Stages the next ring and moves AWSCURRENT to it.
 * @returns the situation after it: AWSCURRENT names the new version, and nothing is delivered yet.
 * @throws TicketringError `label-moved` if somebody else committed meanwhile: nothing has changed then.
 */
export async function commit(
  ports: RotationPorts,
  situation: Situation,
  commission: Commission,
): Promise<Situation> {
  const { current: parent } = situation.labels
  const version =
    commission.version ?? tokenFor(commission.origin, ports.configuration.secret, parent, commission.token)
  const stored = await ports.versions.read({ version })
  const ring =
    stored === undefined
      ? await stageRing(ports, situation, { ...commission, version })
      : required(parseRing(stored.value, ports.configuration.ring), version)
  await promote(ports, version, ring)
  const { generation, current } = ring
  ports.journal.record({ kind: 'committed', version, generation, encryptsWith: current.name })
  return committed(ports, situation, version, ring, commission)
}

/** Commits a revoke however often somebody else commits first, and takes AWSPREVIOUS off at once. */
export async function commitRevoke(
  ports: RotationPorts,
  situation: Situation,
  token?: string,
): Promise<Situation> {
  const { pending, current } = situation.labels
  let attempt = { ...situation }
  let version =
    pending !== current && pending?.startsWith('revoke-') && token === undefined ? pending : undefined
  for (let tries = 1; tries <= MOST_TRIES; tries++) {
    try {
      return await commit(ports, attempt, { origin: 'revoke', token, version })
    } catch (error) {
      if (!isRefusal(error, 'label-moved') && !isRefusal(error, 'staged-ring-dead')) throw error
      version = undefined
      attempt = { ...attempt, now: ports.clock.now(), labels: await ports.versions.labels() }
    }
  }
  throw new TicketringError('revoke-not-won', {
    wanted: 'AWSCURRENT to stay in place for one compare-and-set',
    came: `${MOST_TRIES} tries that each found it moved`,
    fix: 'Stop what else writes this secret, then revoke again',
  })
}

interface Base {
  readonly version: string
  readonly ring: Ring | undefined
}

async function readBase({ versions, configuration }: RotationPorts, { labels }: Situation): Promise<Base> {
  const { version, value } = await readCurrent(versions)
  if (version !== labels.current) throw moved(labels.current, version)
  return { version, ring: parseRing(value, configuration.ring) }
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

/**
 * The compare-and-set: AWSCURRENT moves only from the ring's own parent. Whatever the move answered, the labels
 * say who won; a lost answer is no lost move.
 */
export async function promote(
  { versions, commits }: RotationPorts,
  version: string,
  ring: Ring,
): Promise<void> {
  try {
    await commits.promote(version, ring.parent)
  } catch (error) {
    const { current, pending } = await versions.labels()
    if (current === version) return
    if (current === ring.parent) throw error
    if (pending === version) await commits.unlabel('AWSPENDING', version)
    throw new TicketringError('staged-ring-dead', {
      wanted: `AWSCURRENT still on ${ring.parent}, which ${version} was derived from`,
      came: `AWSCURRENT on ${current}`,
      fix: 'Nothing has changed; the ring that is current will be delivered',
      cause: error,
    })
  }
}

function committed(
  { configuration }: RotationPorts,
  situation: Situation,
  version: string,
  ring: Ring,
  { origin, token }: Commission,
): Situation {
  const { carried } = situation
  const pending = configuration.trigger === 'schedule' ? { pending: version } : {}
  return {
    ...situation,
    labels: { current: version, previous: ring.parent, ...pending },
    delivery: undelivered(version, ring),
    carried: token === undefined ? carried : remember(carried, requestMark(origin, token), ring.generation),
  }
}

function remember(carried: Carried, token: string, generation: number): Carried {
  return { ...carried, requests: [...(carried.requests ?? []), { token, generation }].slice(-MOST_REQUESTS) }
}

function moved(wanted: string, came: string): TicketringError {
  return new TicketringError('label-moved', {
    wanted: `AWSCURRENT on ${wanted}`,
    came: `AWSCURRENT on ${came}`,
    fix: 'Somebody else committed meanwhile; nothing has changed here',
  })
}
