import { Inspection, Place } from '../../lambda/kernel/inspection.ts'
import type { Kind } from '../../lambda/kernel/settings.ts'

/**
 * Reads a whole configuration, and freezes it.
 * @throws TicketringError `configuration-invalid` that lists every problem with its path, what was wanted and what came.
 */
export function readWhole<T>(
  value: unknown,
  { path, what, kind }: { path: string; what: string; kind: Kind<T> },
): T {
  const inspection = new Inspection()
  const read = kind.read(value, new Place(inspection, path), {})
  inspection.settle(what)
  return freeze(read)
}

/** Freezes a value to its last field. */
export function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(freeze)
  return Object.freeze(value)
}
