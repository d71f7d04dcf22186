import { type Carried, MOST_REQUESTS, undelivered } from '../core/delivery-record.ts'
import { isRefusal, TicketringError } from '../core/errors.ts'
import type { Ring } from '../core/ring.ts'
import type { Situation } from '../core/situation.ts'
import { requestMark } from '../core/tokens.ts'
import type { RotationPorts } from './observation.ts'
import { type Commission, findVersion, stageRing } from './staging.ts'

/** A revoke that loses this often in a row meets something that no repetition mends. */
const MOST_TRIES = 10
/** Before a second try, and longer before each further one (ms). */
const LOST_PAUSE = 200

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
  const { version, stored } = await findVersion(ports, situation, commission)
  const ring = stored ?? (await stageRing(ports, situation, { ...commission, version }))
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
      if (!isRefusal(error, 'label-moved', 'staged-ring-dead')) throw error
      version = undefined
      // Labels and values are read by two calls, which may lag behind one another.
      await ports.clock.sleep(LOST_PAUSE * tries)
      attempt = { ...attempt, now: ports.clock.now(), labels: await ports.versions.labels() }
    }
  }
  throw new TicketringError('revoke-not-won', {
    wanted: 'AWSCURRENT to stay in place for one compare-and-set',
    came: `${MOST_TRIES} tries that each found it moved`,
    fix: 'Stop what else writes this secret, then revoke again',
  })
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
