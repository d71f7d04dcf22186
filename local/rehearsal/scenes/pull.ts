import { RehearsalError } from '../rehearsal-error.ts'
import type { Scene } from './scene.ts'

export const pull: Scene = {
  shows:
    'no agent can be reached while the ring advances: every machine pulls it by its timer, and tells later',
  least: 1,
  async play(stage) {
    await stage.calm()
    const { machines } = stage
    const since = Date.now()
    for (const instance of stage.lifecycle.instances) instance.lose()
    stage.say('Systems Manager reaches no agent')
    const wanted = stage.generation + 1
    await stage.until(`generation ${wanted} is committed`, () => stage.generation >= wanted)
    for (const machine of machines) {
      const line = await stage.lifecycle.pull(machine)
      if (line?.generation !== wanted)
        throw new RehearsalError(`${machine.id} pulled generation ${line?.generation}, not ${wanted}`)
    }
    stage.say(`every machine has pulled generation ${wanted}`)
    for (const machine of machines) await stage.visited(machine)
    for (const instance of stage.lifecycle.instances) instance.restore()
    for (const machine of machines)
      await stage.until(`${machine.id} tells what it pulled`, () =>
        stage.heard(machine, since).some(({ pulled }) => pulled === wanted),
      )
    await stage.generations(1)
    return [
      `${machines.length} machines pulled generation ${wanted} while no agent could be reached, told so once they could, and the ring went on`,
    ]
  },
}
