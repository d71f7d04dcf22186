import { oneOfEach, type Scene } from './scene.ts'

export const reboot: Scene = {
  shows: 'a machine of each kind reboots: its boot unit puts the ring back before its server starts',
  least: 2,
  async play(stage) {
    await stage.calm()
    const told: string[] = []
    for (const machine of oneOfEach(stage.machines)) {
      const reason = `${machine.server} on ${machine.id} was going down`
      stage.say(`${machine.server} on ${machine.id} reboots`)
      stage.stand(machine, { serves: false, reason })
      await stage.lifecycle.goDown(machine)
      const line = await stage.lifecycle.comeUp(machine)
      stage.stand(machine, { serves: true })
      await stage.visited(machine)
      told.push(
        `${machine.server} on ${machine.id} came back with generation ${line?.generation} from its boot unit, and took its clients' tickets`,
      )
    }
    return told
  },
}
