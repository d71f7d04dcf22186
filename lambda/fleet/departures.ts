import { following } from '../kernel/paging.ts'
import { reserveFor } from './collect-evidence.ts'
import type { FleetTarget } from './configuration.ts'
import type { DeliveryState } from './delivery-state.ts'
import type { Measured } from './expected-members.ts'
import { type Fleet, fleetTrouble } from './membership.ts'
import type { Clock, CommandSender, EventLog, FleetEvent, FleetInventory } from './ports.ts'

/** What asking takes: of whichever story. */
export interface DeparturePorts {
  readonly inventory: FleetInventory
  readonly sender?: Pick<CommandSender, 'results'>
  readonly clock: Clock
  readonly eventLog: EventLog<FleetEvent>
  readonly configuration: { readonly target: FleetTarget }
}

/**
 * Where a fleet has shrunk so far that nothing goes on, asks what became of those that the last commands named: what
 * Systems Manager still lists has lost its tag, the others are stopped or terminated. Does not throw: what cannot be asked
 * is not known.
 */
export async function withDepartures(
  ports: DeparturePorts,
  fleet: Fleet,
  { delivery, carried }: { readonly delivery?: DeliveryState; readonly carried: Measured },
): Promise<Fleet> {
  const { sender, configuration } = ports
  const { target } = configuration
  if (sender === undefined || delivery === undefined) return fleet
  if (!fleet.known || target.minInstances !== undefined) return fleet
  if (fleetTrouble({ fleet, carried, target, now: ports.clock.now() }) === undefined) return fleet
  try {
    const present = new Set(fleet.members.map(({ id }) => id))
    const gone = [...(await namedBy(sender, ports.clock, delivery, fleet))].filter((id) => !present.has(id))
    const untagged = await ports.inventory.countListed(gone)
    return { ...fleet, left: { untagged, ended: gone.length - untagged } }
  } catch (error) {
    ports.eventLog.record({ kind: 'trouble', during: 'asking who left the fleet', detail: String(error) })
    return fleet
  }
}

async function namedBy(
  sender: Pick<CommandSender, 'results'>,
  clock: Clock,
  { commands }: DeliveryState,
  fleet: Fleet,
): Promise<ReadonlySet<string>> {
  const named = new Set<string>()
  for (const { id } of commands) {
    const seen = new Set<string>()
    let next: string | undefined
    do {
      if (clock.remaining() < reserveFor(fleet, 2)) throw new RangeError('there is no time to ask')
      const page = await sender.results(id, next)
      for (const invocation of page.invocations) named.add(invocation.id)
      next = following(page.next, seen)
    } while (next !== undefined)
  }
  return named
}
