import type { Machine } from '../machines/machine.ts'
import { editNginx } from '../machines/nginx-edit.ts'
import { takesConnections } from '../machines/ports.ts'
import type { FleetControl } from './fleet-control.ts'
import { firstOf, lineOn, type Scene } from './scene.ts'

export const halfEditedNginx: Scene = {
  shows:
    'an nginx.conf that an operator has half edited is never published: the ring waits until that is done with',
  least: 2,
  kind: 'nginx',
  async play(fleet) {
    const { operator, ring } = fleet
    await fleet.calm()
    const machine = firstOf(fleet.machines, 'nginx') as Machine
    const undo = editNginx(machine, `  server { listen 127.0.0.1:${machine.ownPort};`)
    fleet.say(`nginx.conf of ${machine.id} lacks a brace`)
    const paged = await operator.isPaged('rotation-held')
    const broken = await statusOf(fleet, machine, 'config-test-failed')
    undo()
    const undoHalf = editNginx(machine, `  server { listen 127.0.0.1:${machine.ownPort}; return 503; }`)
    fleet.say(`nginx.conf of ${machine.id} passes nginx's own test, and is half done`)
    const words = ['deliver', ring.name, '--instance', machine.id]
    await operator.types(words, { says: [/: /] })
    const half = await statusOf(fleet, machine, 'config-changed-by-others')
    for (const each of fleet.machines) await fleet.visited(each)
    if (await takesConnections(machine.ownPort)) fleet.fail(`${machine.id} has published what was half done`)
    undoHalf()
    fleet.say('the edit is taken back')
    const delivered = await operator.types(words, { says: [/: /] })
    await fleet.generations(1)
    if (await takesConnections(machine.ownPort)) fleet.fail(`${machine.id} has published what was taken back`)
    const over = await operator.isRelieved('rotation-held')
    return [
      `nginx on ${machine.id} served on with what it had loaded before: what was half done was never published`,
      paged,
      ...broken,
      ...half,
      ...delivered,
      `the ring went on with generation ${fleet.generation}; ${over}`,
    ]
  },
}

function statusOf(
  { operator, ring }: FleetControl,
  machine: Machine,
  code: string,
): Promise<readonly string[]> {
  const says = [/: (HELD|DEGRADED): /, lineOn(machine, code), /^next: /]
  return operator.repeats(['status', ring.name], { code: 1, says })
}
