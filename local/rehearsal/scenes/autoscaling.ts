import type { Machine } from '../machines/machine.ts'
import type { Scene } from './scene.ts'

export const autoscaling: Scene = {
  shows:
    'a machine is launched, has the ring before its first client, and is terminated again, which holds nothing up',
  spare: true,
  least: 2,
  async play(stage) {
    await stage.calm()
    const spare = stage.spare as Machine
    stage.say(`${spare.server} on ${spare.id} is launched`)
    const line = await stage.lifecycle.bringUp(spare)
    stage.stand(spare, { serves: true })
    await stage.visited(spare)
    await stage.generations(1)
    // A command that is under way there would run into its time-out, and the show with it.
    await stage.calm()
    const reason = `${spare.server} on ${spare.id} was being terminated`
    stage.say(`${spare.server} on ${spare.id} is terminated`)
    stage.stand(spare, { serves: false, reason })
    await stage.lifecycle.goDown(spare)
    stage.lifecycle.leave(spare)
    await stage.generations(1)
    return [
      `${spare.server} on ${spare.id} was launched with generation ${line?.generation}, took the others' tickets, turned with the ring, and left: the ring went on without it`,
    ]
  },
}
