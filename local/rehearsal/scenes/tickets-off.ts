import type { Machine } from '../machines/machine.ts'
import { editNginx, reloadNginx } from '../machines/nginx-edit.ts'
import { firstOf, lineOn, type Scene } from './scene.ts'

export const ticketsOff: Scene = {
  shows:
    'nginx on one machine has its session tickets turned off: it is named, and the ring waits until that is mended',
  least: 2,
  kind: 'nginx',
  async play(fleet) {
    const { operator, ring } = fleet
    await fleet.calm()
    const machine = firstOf(fleet.machines, 'nginx') as Machine
    const reason = `nginx on ${machine.id} had its session tickets turned off`
    fleet.setAvailability(machine, { serves: true, reason })
    const mend = editNginx(machine, '  ssl_session_tickets off;')
    await reloadNginx(machine)
    fleet.say(reason)
    const paged = await operator.isPaged('rotation-held')
    const status = await operator.repeats(['status', ring.name], {
      code: 1,
      says: [/: (HELD|DEGRADED): /, lineOn(machine, 'tickets-off'), /^next: /],
    })
    for (const other of fleet.machines) if (other !== machine) await fleet.visited(other)
    mend()
    await reloadNginx(machine)
    const since = Date.now()
    fleet.say('they are turned on again')
    const words = ['deliver', ring.name, '--instance', machine.id, '--reason', 'tickets are on again']
    const delivered = await operator.types(words, { says: [/: /] })
    await fleet.until(`${machine.id} has proved the ring`, () =>
      fleet.heard(machine, since).some(({ error }) => error === undefined),
    )
    fleet.setAvailability(machine, { serves: true })
    await fleet.visited(machine)
    await fleet.generations(1)
    const over = await operator.isRelieved('rotation-held')
    return [
      `${reason}, and clients came back to all others`,
      paged,
      ...status,
      ...delivered,
      `the ring went on with generation ${fleet.generation}; ${over}`,
    ]
  },
}
