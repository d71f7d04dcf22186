import { readConfigureGlobal } from 'fast-check'

/** A draw of its own for each part of a property that is tried in parts. */
export function seedOf(part: number): number {
  return (readConfigureGlobal().seed ?? 0) + part
}
