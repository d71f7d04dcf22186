import type { Machine } from '../machines/machine.ts'
import { oneOfEach, type Scene } from './scene.ts'

export const away: Scene = {
  shows:
    'a machine is switched off for two rotations, which nothing waits for, and comes back to a ring that has none of its keys',
  least: 3,
  async play(fleet) {
    await fleet.calm()
    const machine = oneOfEach(fleet.machines)[0] as Machine
    const reason = `${machine.server} on ${machine.id} was being switched off`
    fleet.say(`${machine.server} on ${machine.id} is switched off`)
    fleet.setAvailability(machine, { serves: false, reason })
    await fleet.lifecycle.goDown(machine)
    fleet.lifecycle.leave(machine)
    const before = fleet.generation
    await fleet.generations(2)
    fleet.say(`${machine.server} on ${machine.id} is switched on`)
    const line = await fleet.lifecycle.comeUp(machine)
    fleet.setAvailability(machine, { serves: true })
    await fleet.visited(machine)
    return [
      `${machine.server} on ${machine.id} left with generation ${before} and came back with generation ${line?.generation}; the ring turned without it, and the tickets that it had given were of use to no client any more`,
    ]
  },
}
