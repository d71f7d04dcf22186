import { terminatorOf } from '../machines/kinds.ts'
import type { Machine } from '../machines/machine.ts'
import { amendSettings } from '../machines/own-settings.ts'
import { lineOn, type Scene } from './scene.ts'

export const canaryFails: Scene = {
  shows:
    'the canary cannot take a new generation: the others stay on theirs, which costs nothing, and it pages, until it is mended',
  least: 3,
  kind: 'haproxy',
  canary: true,
  async play(fleet) {
    const { operator, ring } = fleet
    await fleet.calm()
    // The others would follow at last: here it is about before.
    fleet.aws.limitKeyAge(200)
    const machine = fleet.lifecycle.canary as Machine
    const others = fleet.machines.filter((each) => each !== machine)
    const { HAPROXY_SOCKET = '' } = terminatorOf(machine).settings(machine)
    const since = Date.now()
    const name = `${machine.server} on ${machine.id}`
    amendSettings(machine, ring.name, { HAPROXY_SOCKET: `${HAPROXY_SOCKET}.old` })
    fleet.say(`${name} is the canary, and its settings name a socket that is not there`)
    // What it had proved before goes on to the others, who then have the generation that it does not take.
    const fails = () => fleet.heard(machine, since).some(({ error }) => error === 'socket-refused')
    await fleet.until('the canary does not take a generation', () => {
      return fails() && fleet.provedAt(machine, fleet.generation) === undefined
    })
    const { generation } = fleet
    const allow = fleet.forbid(() => {
      const ahead = others.filter((each) => fleet.provedAt(each, generation) !== undefined)
      const ids = ahead.map(({ id }) => id).join(', ')
      return ids === '' ? undefined : `${ids} took generation ${generation} before the canary`
    })
    const paged = await operator.isPaged('canary-failed', 'ALARM', Date.now())
    const status = await operator.repeats(['status', ring.name], {
      code: 1,
      says: [
        /: (HELD|CANARY): /,
        new RegExp(`^canary: ${machine.id}: not proved yet; the others stay`),
        lineOn(machine, 'socket-refused'),
        /^next: .*ticketring deliver /,
      ],
    })
    // State Manager and machines by themselves go no further either.
    await fleet.runAssociations()
    for (const each of fleet.machines) await fleet.visited(each)
    allow()
    amendSettings(machine, ring.name, { HAPROXY_SOCKET })
    fleet.say(`the settings of ${machine.id} are mended`)
    const delivered = await operator.types(['deliver', ring.name], { says: [/: /] })
    await fleet.until('every machine has proved the generation', () =>
      fleet.machines.every((each) => fleet.provedAt(each, generation) !== undefined),
    )
    const provedAt = fleet.provedAt(machine, generation) as number
    const followed = Math.min(...others.map((each) => fleet.provedAt(each, generation) as number))
    const waited = (followed - provedAt) / 1000
    await fleet.generations(1)
    const over = await operator.isRelieved('canary-failed')
    return [
      `${name} is the canary and could not take generation ${generation}: ${others.length} machines stayed on the one before, and clients came back to all`,
      paged,
      ...status,
      ...delivered,
      `mended, ${machine.id} proved generation ${generation} alone; the others followed ${waited.toFixed(1)} s later, after its soak`,
      `the ring went on with generation ${fleet.generation}; ${over}`,
    ]
  },
}
