import { later } from './gate.ts'
import type { RotationConfiguration } from './rotation-configuration.ts'
import { type Decision, isRevocation, type Known } from './situation.ts'

/** An AWSPENDING this old belongs to nobody who is still working. */
const PENDING_LIFE = 30 * 60

/** A revoked ring must not stay readable under AWSPREVIOUS, converged or not. */
export function revokedLeftover({ labels }: Known): Decision | undefined {
  if (!isRevocation(labels.current) || labels.previous === undefined) return undefined
  return {
    action: 'unlabel',
    label: 'AWSPREVIOUS',
    version: labels.previous,
    reason: 'the ring before the revocation must not stay readable',
  }
}

/** Erases what the labels still hold of the old ring, once nobody can need it. */
export function tidy({ labels }: Known, { trigger }: RotationConfiguration): Decision | undefined {
  if (labels.previous !== undefined && labels.previous !== labels.current) {
    const reason = 'the fleet has converged: the old ring is erased as far as Secrets Manager lets one'
    return { action: 'unlabel', label: 'AWSPREVIOUS', version: labels.previous, reason }
  }
  const { pending } = labels
  if (pending !== labels.current || trigger === 'secrets-manager') return undefined
  return { action: 'unlabel', label: 'AWSPENDING', version: pending, reason: 'the rotation is complete' }
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
  const reason = `AWSPENDING has been on ${pending} since ${since}, and nobody is working on it`
  return { action: 'unlabel', label: 'AWSPENDING', version: pending, reason }
}
