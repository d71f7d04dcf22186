import { oneOfEach, type Scene } from './scene.ts'

export const reboot: Scene = {
  shows: 'a machine of each kind reboots: its boot unit puts the ring back before its server starts',
  least: 2,
  async play(fleet) {
    await fleet.calm()
    const told: string[] = []
    for (const machine of oneOfEach(fleet.machines)) {
      const reason = `${machine.server} on ${machine.id} was going down`
      fleet.say(`${machine.server} on ${machine.id} reboots`)
      fleet.setAvailability(machine, { serves: false, reason })
      await fleet.lifecycle.goDown(machine)
      const line = await fleet.lifecycle.comeUp(machine)
      fleet.setAvailability(machine, { serves: true })
      await fleet.visited(machine)
      told.push(
        `${machine.server} on ${machine.id} came back with generation ${line?.generation} from its boot unit, and took its clients' tickets`,
      )
    }
    return told
  },
}
