/** Percent of the fleet that may be set aside at the same time. */
const SHARE = 10

/** How many machines of a fleet may be set aside; at least one. */
export function mostQuarantined(members: number): number {
  return Math.max(1, Math.floor((members * SHARE) / 100))
}
