import { isRefusal, TicketringError } from '../kernel/errors.ts'
import { isAncestor, isRevokedSince } from './ancestry.ts'
import { type Carried, carriedTo, MOST_REQUESTS, undelivered } from './delivery-record.ts'
import { REVOKING, stagedRevoke } from './labels.ts'
import { observe, parentOfPending, type RotationPorts, readRing } from './observation.ts'
import type { Ring } from './ring.ts'
import type { Situation } from './situation.ts'
import { type Commission, type Staged, stageNext } from './stage.ts'
import { requestMark } from './tokens.ts'

/**
 * Stages the next ring and moves AWSCURRENT to it.
 * @returns the situation after it: AWSCURRENT names the new version, and nothing is delivered yet.
 * @throws TicketringError `label-moved`, `staged-ring-dead` if another commit came first: nothing has changed then.
 */
export async function commit(
  ports: RotationPorts,
  situation: Situation,
  commission: Commission,
): Promise<Situation> {
  return commitStaged(ports, situation, await stageNext(ports, situation, commission), commission)
}

/**
 * Commits a revoke: the one that was staged last, where it still follows AWSCURRENT. One that another commit overtook
 * is made anew, in its name, unless that commit, or one since, was itself a revoke.
 */
export async function commitRevoke(
  ports: RotationPorts,
  situation: Situation,
  token?: string,
): Promise<Situation> {
  const version = stagedRevoke(situation.labels)
  if (version === undefined || token !== undefined)
    return commit(ports, situation, { origin: 'revoke', token })
  const ring = await readRing(ports, version)
  if (ring?.parent === situation.labels.current)
    return commitStaged(ports, situation, { version, ring }, { origin: 'revoke' })
  const { delivery } = situation
  if (ring === undefined || delivery === undefined || !(await isRevokedSince(ports, delivery, ring)))
    return commit(ports, situation, { origin: 'revoke', token: version })
  await ports.commits.unlabel(REVOKING, version)
  return observe(ports)
}

async function commitStaged(
  ports: RotationPorts,
  situation: Situation,
  staged: Staged,
  commission: Commission,
): Promise<Situation> {
  const { version, ring } = staged
  const { lineage, generation, current, rotatedAt } = ring
  const { origin, forced } = commission
  try {
    await promote(ports, version, ring)
  } catch (error) {
    if (!isRefusal(error, 'staged-ring-dead')) throw error
    const now = await observe(ports)
    // The move may have been made, its answer lost, and its ring replaced already.
    if (now.delivery && (await isAncestor(ports, now.delivery, version, rotatedAt))) return now
    throw error
  }
  ports.eventLog.record({
    kind: 'committed',
    version,
    lineage,
    generation,
    encryptsWith: current.name,
    origin,
    ...(forced === true ? { forced } : {}),
  })
  return committed(ports, situation, staged, commission)
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

async function committed(
  ports: RotationPorts,
  situation: Situation,
  { version, ring }: Staged,
  { origin, token }: Commission,
): Promise<Situation> {
  const { pendingParent: _, ...rest } = situation
  const delivery = undelivered(version, ring, ports.configuration.mode)
  const carried = carriedTo(delivery, situation)
  const after = {
    ...rest,
    delivery,
    carried: token === undefined ? carried : remember(carried, requestMark(origin, token), ring.generation),
  }
  const labels = { current: version, previous: ring.parent }
  if (origin !== 'revoke') return { ...after, labels: { ...labels, pending: version } }
  const { pending = situation.labels.pending } = await ports.versions.labels()
  const staged = { ...labels, revoking: version, ...(pending === undefined ? {} : { pending }) }
  const pendingParent = await parentOfPending(ports, staged)
  return { ...after, labels: staged, ...(pendingParent === undefined ? {} : { pendingParent }) }
}

function remember(carried: Carried, token: string, generation: number): Carried {
  return { ...carried, requests: [...(carried.requests ?? []), { token, generation }].slice(-MOST_REQUESTS) }
}
