import { following } from '../kernel/paging.ts'
import { reserveFor } from './collect-evidence.ts'
import type { FleetTarget } from './configuration.ts'
import type { DeliveryState } from './delivery-state.ts'
import type { Unended } from './dispatch.ts'
import { type Invocation, isOpen } from './evidence.ts'
import type { Measured } from './expected-members.ts'
import { type CallingPorts, callRollAgain } from './inventory.ts'
import { type Fleet, fleetTrouble, rollCallOf } from './membership.ts'
import type { Clock, CommandSender, EventLog, FleetEvent, FleetInventory } from './ports.ts'

/** What asking takes, of either capability. */
interface DeparturePorts {
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
  for (const { id } of commands)
    for await (const invocation of resultsOf({ sender, clock }, id, fleet)) named.add(invocation.id)
  return named
}

/** @throws RangeError where there is no time. */
async function* resultsOf(
  { sender, clock }: Pick<WatchPorts, 'sender' | 'clock'>,
  command: string,
  fleet: Fleet,
): AsyncGenerator<Invocation> {
  const seen = new Set<string>()
  let next: string | undefined
  do {
    if (clock.remaining() < reserveFor(fleet, 2)) throw new RangeError('there is no time to ask')
    const page = await sender.results(command, next)
    yield* page.invocations
    next = following(page.next, seen)
  } while (next !== undefined)
}

interface WatchPorts extends CallingPorts {
  readonly sender: Pick<CommandSender, 'results'>
  readonly eventLog: EventLog<FleetEvent>
}

/**
 * Watches for commands that are open on no machine of the fleet: who was terminated in the midst of one never answers, and
 * Run Command tells no sooner than when its time is over. Does not throw.
 */
export class DepartureWatch {
  readonly #ports: WatchPorts
  #fleet: Fleet
  #asked = ''

  constructor(ports: WatchPorts, fleet: Fleet) {
    this.#ports = ports
    this.#fleet = fleet
  }

  /** As the roll was called last. */
  get fleet(): Fleet {
    return this.#fleet
  }

  /** Whether every machine of the roll call has answered; asked once of one roll call and one standing. */
  async hasFleetAnswered(unended: readonly Unended[]): Promise<boolean> {
    const fleet = await callRollAgain(this.#ports, this.#fleet)
    const question = JSON.stringify([rollCallOf(fleet), unended])
    if (!fleet.known || question === this.#asked) return false
    this.#asked = question
    this.#fleet = fleet
    const present = new Set(fleet.members.map(({ id }) => id))
    try {
      for (const command of unended) if (!(await this.#isElsewhere(command, present))) return false
      return true
    } catch (error) {
      const during = 'asking who has yet to answer'
      this.#ports.eventLog.record({ kind: 'trouble', during, detail: String(error) })
      return false
    }
  }

  /** A machine whose turn has not come is not listed, and may be any. */
  async #isElsewhere({ id, machines }: Unended, present: ReadonlySet<string>): Promise<boolean> {
    const open: string[] = []
    for await (const each of resultsOf(this.#ports, id, this.#fleet)) if (isOpen(each)) open.push(each.id)
    return machines > 0 && open.length === machines && open.every((each) => !present.has(each))
  }
}
