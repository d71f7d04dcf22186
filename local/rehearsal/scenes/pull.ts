import { RehearsalError } from '../rehearsal-error.ts'
import type { Scene } from './scene.ts'

export const pull: Scene = {
  shows:
    'no agent can be reached while the ring advances: every machine pulls it by its timer, and tells later',
  least: 1,
  async play(fleet) {
    await fleet.calm()
    const { machines } = fleet
    const since = Date.now()
    for (const instance of fleet.lifecycle.instances) instance.lose()
    fleet.say('Systems Manager reaches no agent')
    const wanted = fleet.generation + 1
    await fleet.until(`generation ${wanted} is committed`, () => fleet.generation >= wanted)
    for (const machine of machines) {
      const line = await fleet.lifecycle.pull(machine)
      if (line?.generation !== wanted)
        throw new RehearsalError(`${machine.id} pulled generation ${line?.generation}, not ${wanted}`)
    }
    fleet.say(`every machine has pulled generation ${wanted}`)
    for (const machine of machines) await fleet.visited(machine)
    for (const instance of fleet.lifecycle.instances) instance.restore()
    for (const machine of machines)
      await fleet.until(`${machine.id} tells what it pulled`, () =>
        fleet.heard(machine, since).some(({ pulled }) => pulled === wanted),
      )
    await fleet.generations(1)
    return [
      `${machines.length} machines pulled generation ${wanted} while no agent could be reached, told so once they could, and the ring went on`,
    ]
  },
}
