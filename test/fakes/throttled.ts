import type { RotationPorts } from '../../lambda/ring/observation.ts'
import type { World } from './world.ts'

/** Instances on a page of Systems Manager. */
const PAGE = 50

/** The ports of a world in which AWS answers so many calls a second and no more: each takes its part of the clock's time. */
export function throttledPorts(world: World, callsPerSecond: number): RotationPorts {
  const ports = world.ports()
  const spend = (calls = 1) => world.clock.advance(calls / callsPerSecond)
  const slow = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
    return (...args: A): Promise<R> => {
      spend()
      return call(...args)
    }
  }
  const { sender, inventory, records } = ports
  return {
    ...ports,
    inventory: {
      async members() {
        const members = await inventory.members()
        spend(Math.ceil(members.length / PAGE))
        return members
      },
      async countListed(ids) {
        spend(Math.ceil(ids.length / PAGE))
        return inventory.countListed(ids)
      },
    },
    sender: {
      send: slow(sender.send.bind(sender)),
      progress: slow(sender.progress.bind(sender)),
      results: slow(sender.results.bind(sender)),
      resultOf: slow(sender.resultOf.bind(sender)),
    },
    records: { read: slow(records.read.bind(records)), write: slow(records.write.bind(records)) },
  }
}

/** A fleet of so many machines, of which so many percent are not online. */
export function loseShare(world: World, percent: number): void {
  const { instances } = world.fleet
  const every = Math.floor(100 / percent)
  for (const [n, instance] of instances.entries()) if (n % every === 0) instance.online = false
}
