import type { Machine } from '../machines/machine.ts'
import type { FleetControl } from '../scenes/fleet-control.ts'
import type { Scene } from '../scenes/scene.ts'

/** What every run shows that nothing else is asked of: of all machines the last that a command reaches falls behind. */
export const straggler: Scene = {
  shows: 'a machine falls behind, the gate holds the next generation, and its clients lose nothing',
  least: 2,
  async play(fleet) {
    await fleet.calm()
    const machine = fleet.machines.at(-1) as Machine
    const name = `${machine.server} on ${machine.id}`
    const since = Date.now()
    fleet.aws.cutOff([machine])
    fleet.show('straggler', `Secrets Manager does not answer ${name} any more`, 'warning')
    const reason = await held(fleet, since)
    fleet.show('gate', `the next generation is held: ${reason}`, 'warning')
    const { generation } = fleet
    fleet.aws.reconnect()
    fleet.show('straggler', `Secrets Manager answers ${name} again`, 'good')
    await fleet.generations(0)
    const seconds = ((Date.now() - since) / 1000).toFixed(0)
    fleet.show(
      'gate',
      `every machine has generation ${generation}: once tickets from before have lived, the next one may come`,
      'good',
    )
    return [`${name} was without Secrets Manager for ${seconds} s, and the ring waited for it: ${reason}`]
  },
}

/** The reason for which a due rotation is held. */
async function held(fleet: FleetControl, since: number): Promise<string> {
  const reason = () => fleet.decided(since).find(({ waitsFor }) => waitsFor === 'convergence')?.reason
  await fleet.until('the gate holds the next generation', () => reason() !== undefined)
  return reason() as string
}
