import type { Fleet, Kind } from '../machines/kinds.ts'
import type { Machine } from '../machines/machine.ts'
import type { Wishes } from '../testbed-parts.ts'
import type { FleetControl } from './fleet-control.ts'

/** Something that befalls a fleet in the middle of a rehearsal. */
export interface Scene extends Wishes {
  /** In a line, for the list of scenes. */
  readonly shows: string
  /** Machines that a fleet must have for it. */
  readonly least: number
  /** A kind of which there must be one. */
  readonly kind?: Kind
  /** What the fleet is where the command line does not say; by default as without a scene. */
  readonly fleet?: Fleet
  /** Plays it. @returns what came of it, in sentences. @throws RehearsalError for what did not come about. */
  play(fleet: FleetControl): Promise<readonly string[]>
}

export function firstOf(machines: readonly Machine[], kind: Kind): Machine | undefined {
  return machines.find(({ server }) => server === kind)
}

/** The line of `ticketring status` on a machine that has not proved the ring, whatever it is called beside its id. */
export function lineOn({ id }: Machine, cause: string): RegExp {
  return new RegExp(`^${id}( \\(.*\\))?  ${cause}(:|$)`)
}

/** One machine of each kind that a fleet has several of: another one serves its clients meanwhile. */
export function oneOfEach(machines: readonly Machine[]): readonly Machine[] {
  const first = new Map<Kind, Machine>()
  for (const machine of machines) if (!first.has(machine.server)) first.set(machine.server, machine)
  return [...first.values()]
}
