import type { Machine } from '../machines/machine.ts'
import { oneOfEach, type Scene } from './scene.ts'

export const away: Scene = {
  shows:
    'a machine is switched off for two rotations, which nothing waits for, and comes back to a ring that has none of its keys',
  least: 3,
  async play(stage) {
    await stage.calm()
    const machine = oneOfEach(stage.machines)[0] as Machine
    const reason = `${machine.server} on ${machine.id} was being switched off`
    stage.say(`${machine.server} on ${machine.id} is switched off`)
    stage.stand(machine, { serves: false, reason })
    await stage.lifecycle.goDown(machine)
    stage.lifecycle.leave(machine)
    const before = stage.generation
    await stage.generations(2)
    stage.say(`${machine.server} on ${machine.id} is switched on`)
    const line = await stage.lifecycle.comeUp(machine)
    stage.stand(machine, { serves: true })
    await stage.visited(machine)
    return [
      `${machine.server} on ${machine.id} left with generation ${before} and came back with generation ${line?.generation}; the ring turned without it, and the tickets that it had given were of use to no client any more`,
    ]
  },
}
