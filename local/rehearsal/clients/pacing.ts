import { deliveryShare, type Tally, totalOf } from './tally.ts'
import type { RingView } from './ticket-validity.ts'

/**
 * ms that a client waits between two tries. Shorter while a delivery runs, since that is when tickets are in danger, but
 * never none: the machines' scripts share the same processors, and real clients do not slow a real fleet down.
 */
const BUSY = 20
const CALM = 30
export const WATCHFUL = 150
/** Tries during deliveries are to be this part of all; below it, the clients hold back in between. */
const DELIVERY_SHARE = 0.42
/** Below this they do not come at all until the next delivery: what else is shown must not dilute it. */
const LEAST_SHARE = 0.34
/** Tries before the first delivery: of a run with one short delivery more would be most of all. */
const FIRST_TRIES = 64

type Seen = Pick<RingView, 'committed' | 'delivering'>

/** Whether a client stays away now, so that deliveries have their part of all tries. */
export function isHoldingBack(tally: Tally, view: Seen): boolean {
  if (view.delivering || isAwaited(tally, view)) return false
  if (tally.moments['during a delivery'] === 0) return totalOf(tally).tried >= FIRST_TRIES
  return deliveryShare(tally) < LEAST_SHARE
}

/** ms that a client rests after a try. */
export function restingTime(tally: Tally, view: Seen): number {
  if (view.delivering) return BUSY
  return deliveryShare(tally) < DELIVERY_SHARE ? WATCHFUL : CALM
}

/** Whether no ticket was tried yet whose key was superseded, though there are such: without one a run proves little. */
function isAwaited(tally: Tally, { committed }: Seen): boolean {
  return committed > 1 && tally.moments['after the next advance'] === 0
}
