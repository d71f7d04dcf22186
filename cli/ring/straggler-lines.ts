import { counted } from '../../lambda/kernel/count.ts'
import type { Place } from '../aws/places.ts'
import type { Placed } from './placed.ts'

const NOT_AWAITED =
  'Not waited for, as Systems Manager has lost it: if it takes connections all the same, the tickets that it and the others give are lost between them'

/** Each machine that has not proved the ring, with its cause and what to do there. Never cut: an operator has to act on each. */
export function stragglerLines({ fleet, canary, places = {}, placesProblem }: Placed): readonly string[] {
  if (fleet === undefined) return []
  const lagging = fleet.lagging ?? []
  const told = fleet.stragglers.flatMap(({ id, name, reason, fix }) => [
    `  ${id}${calledBy({ name, ...places[id] })}  ${reason}`,
    ...(fix === undefined ? [] : [`    ${fix}`]),
    ...(lagging.includes(id) ? [`    ${NOT_AWAITED}`] : []),
  ])
  // Who waits for the canary is not behind.
  const missing = fleet.members - (fleet.observed ?? fleet.confirmed)
  const more = canary?.held ? 0 : missing - fleet.stragglers.length
  return [
    ...told,
    ...(more > 0 ? [`  and ${counted(more, 'machine')} more: the function's log names each`] : []),
    ...(placesProblem === undefined ? [] : [`  names and zones of machines are not told: ${placesProblem}`]),
  ]
}

/** By its tag, else as it calls itself, and where it stands. */
function calledBy({ name, zone }: { readonly [Part in keyof Place]?: string | undefined }): string {
  const parts = [name, zone].filter((each) => each !== undefined)
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}
