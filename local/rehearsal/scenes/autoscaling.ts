import type { Machine } from '../machines/machine.ts'
import type { Scene } from './scene.ts'

export const autoscaling: Scene = {
  shows:
    'a machine is launched, has the ring before its first client, and is terminated again, which holds nothing up',
  spare: true,
  least: 2,
  async play(fleet) {
    await fleet.calm()
    const spare = fleet.spare as Machine
    fleet.say(`${spare.server} on ${spare.id} is launched`)
    const line = await fleet.lifecycle.bringUp(spare)
    fleet.setAvailability(spare, { serves: true })
    await fleet.visited(spare)
    await fleet.generations(1)
    // A command that is under way there would run into its time-out, and the rehearsal with it.
    await fleet.calm()
    const reason = `${spare.server} on ${spare.id} was being terminated`
    fleet.say(`${spare.server} on ${spare.id} is terminated`)
    fleet.setAvailability(spare, { serves: false, reason })
    await fleet.lifecycle.goDown(spare)
    fleet.lifecycle.leave(spare)
    await fleet.generations(1)
    return [
      `${spare.server} on ${spare.id} was launched with generation ${line?.generation}, took the others' tickets, turned with the ring, and left: the ring went on without it`,
    ]
  },
}
