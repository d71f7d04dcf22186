import { later } from '../kernel/time.ts'
import type { RotationConfiguration } from './configuration.ts'
import { REVOKING } from './labels.ts'
import { type Decision, isRevocation, type Known } from './situation.ts'

/** An AWSPENDING this old belongs to no function that is still working. */
const PENDING_LIFE = 30 * 60

/** No label stays on what was revoked, converged or not, nor on the revocation's own way to its commit. */
export function labelOnRevoked({ labels, pendingParent }: Known): Decision | undefined {
  const { current, previous, pending, revoking } = labels
  if (!isRevocation(current)) return undefined
  if (previous !== undefined) {
    const reason = 'the ring before the revocation must not stay readable'
    return { action: 'unlabel', label: 'AWSPREVIOUS', version: previous, reason }
  }
  if (pending !== undefined && pendingParent !== undefined && pendingParent !== current) {
    const reason = `the ring in ${pending} holds keys that were revoked, and can never be committed`
    return { action: 'unlabel', label: 'AWSPENDING', version: pending, reason }
  }
  if (revoking !== current) return undefined
  return { action: 'unlabel', label: REVOKING, version: revoking, reason: 'the revocation is committed' }
}

/**
 * Erases what the labels still hold of the old ring, once no machine can need it. AWSPREVIOUS last: Secrets Manager moves it
 * with every commit, so that taking it off proves that there was no other since.
 */
export function staleLabel({ labels }: Known, { trigger }: RotationConfiguration): Decision | undefined {
  const { pending, previous, current } = labels
  if (pending === current && trigger === 'schedule')
    return { action: 'unlabel', label: 'AWSPENDING', version: pending, reason: 'the rotation is complete' }
  if (previous === undefined || previous === current) return undefined
  const reason = 'the fleet has converged: the old ring is erased as far as Secrets Manager lets one'
  return { action: 'unlabel', label: 'AWSPREVIOUS', version: previous, reason }
}

/**
 * An AWSPENDING that stays on another version than AWSCURRENT blocks every later rotation, converged or not: a refused
 * createSecret leaves it behind.
 */
export function abandonedPending({ labels, carried, now }: Known): Decision | undefined {
  const { pending, current } = labels
  if (pending === undefined || pending === current) return undefined
  if (carried.pending?.version !== pending) {
    return {
      action: 'note-pending',
      version: pending,
      reason: `AWSPENDING is on ${pending}, not on AWSCURRENT`,
    }
  }
  if (now < later(carried.pending.since, PENDING_LIFE)) return undefined
  const since = carried.pending.since.toISOString()
  const reason = `AWSPENDING has been on ${pending} since ${since}, and no rotation is working on it`
  return { action: 'unlabel', label: 'AWSPENDING', version: pending, reason }
}
