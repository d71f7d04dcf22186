import { addGuardedListener } from '../machines/haproxy-edit.ts'
import type { Machine } from '../machines/machine.ts'
import { amendSettings } from '../machines/own-settings.ts'
import { firstOf, lineOn, type Scene } from './scene.ts'

export const openAndGuarded: Scene = {
  shows:
    'HAProxy gets a guarded listener on the key file of its open one: auth-bypass is found, pages, and is seen by probe',
  least: 2,
  kind: 'haproxy',
  guarded: true,
  async play(fleet) {
    const { operator, ring } = fleet
    await fleet.calm()
    const machine = firstOf(fleet.machines, 'haproxy') as Machine
    const { pki, plainPort, ownPort } = machine
    const open = `127.0.0.1:${plainPort}`
    const guarded = `127.0.0.1:${ownPort}`
    const takeOut = await addGuardedListener(machine)
    amendSettings(machine, ring.name, { HAPROXY_GUARDED: `${guarded}=${pki.serverName}` })
    fleet.say(`${machine.id} has a guarded listener at ${guarded}, on the key file of its open one`)
    await operator.types(['deliver', ring.name], { says: [/: /] })
    const paged = await operator.isPaged('auth-bypass')
    const status = await operator.repeats(['status', ring.name], {
      code: 1,
      says: [/: AUTH-BYPASS: /, lineOn(machine, 'auth-bypass'), /^next: /],
    })
    const probed = await operator.types(['probe', open, guarded, '--servername', pki.serverName], {
      code: 1,
      says: [new RegExp(`^auth-bypass: a ticket of ${open}=.* opens ${guarded}=`), /^Give the listeners/],
    })
    for (const each of fleet.machines) await fleet.visited(each)
    await takeOut()
    amendSettings(machine, ring.name, { HAPROXY_GUARDED: '' })
    fleet.say('the guarded listener is taken off the ring')
    const delivered = await operator.types(['deliver', ring.name, '--instance', machine.id], { says: [/: /] })
    await fleet.generations(1)
    const over = await operator.isRelieved('auth-bypass')
    return [
      `a ticket of ${open} opened ${guarded}, which demands a client certificate, without one; no session was lost`,
      paged,
      ...status,
      ...probed,
      ...delivered,
      `the ring went on with generation ${fleet.generation}; ${over}`,
    ]
  },
}
