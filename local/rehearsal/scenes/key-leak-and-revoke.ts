import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { terminatorOf } from '../machines/kinds.ts'
import type { Machine } from '../machines/machine.ts'
import { editNginx, reloadNginx } from '../machines/nginx-edit.ts'
import { firstOf, type Scene } from './scene.ts'

export const keyLeakAndRevoke: Scene = {
  shows:
    'a ring is stolen, and reads its tickets; revoked, each machine proves that it refuses them, but for one that kept a key',
  least: 2,
  kind: 'nginx',
  async play(fleet) {
    const { operator, ring } = fleet
    await fleet.calm()
    // So that the key that is kept is the one that is revoked; a revoke comes all the same.
    const pause = ['pause', ring.name, '--for', '1h', '--reason', 'an incident']
    await operator.types(pause, { code: 0, says: [/: paused until /] })
    await fleet.calm()
    const keeper = firstOf(fleet.machines, 'nginx') as Machine
    const forget = keepKey(keeper)
    await reloadNginx(keeper)
    for (const machine of fleet.machines) await fleet.visited(machine)
    const thief = fleet.steal()
    const { opened: read } = thief.reads(0)
    if (read === 0) fleet.fail('the stolen ring reads no ticket')
    fleet.say(`a thief of generation ${fleet.generation} reads ${read} tickets; an operator revokes`)
    const typedAt = Date.now()
    const tried = fleet.retired
    const revoke = ['revoke', ring.name, '--reason', 'ring stolen', '--yes-drop-all-sessions']
    // Asked again it goes on with the same revoke.
    const revoked = await operator.repeats(revoke, {
      code: 1,
      says: [
        /^\d+ refuse tickets from before/,
        new RegExp(`^STILL ACCEPTS OLD TICKETS: ${keeper.id}$`),
        new RegExp(`deregister-targets .*Id=${keeper.id}$`),
      ],
    })
    const seconds = Math.ceil((Date.now() - typedAt) / 1000)
    forget()
    await reloadNginx(keeper)
    fleet.say(`${keeper.id} forgets the key that it kept`)
    await operator.types(['deliver', ring.name, '--instance', keeper.id], { says: [/: /] })
    await fleet.until('every machine has proved it', () => fleet.isProved)
    const provedAt = Date.now()
    const status = await operator.repeats(['status', ring.name], {
      code: 1,
      says: [new RegExp(`^${fleet.machines.length} refuse tickets from before, 0 have not proved it$`)],
    })
    await fleet.until('clients find tickets from before refused', () => fleet.retired > tried)
    for (const machine of fleet.machines) await fleet.visited(machine)
    const after = thief.reads(typedAt)
    if (thief.reads(provedAt).opened > 0) fleet.fail('the stolen ring reads tickets of after the revoke')
    if (after.tried - after.opened < fleet.machines.length)
      fleet.fail('too few tickets of after the revoke were seen')
    await operator.types(['resume', ring.name], { code: 0, says: [/: resumed/] })
    await fleet.generations(1)
    return [
      `a thief of the ring read ${read} tickets of before, and none of after the revoke`,
      ...revoked,
      `the revoke answered after ${seconds} s; ${keeper.id} forgot the key that it had kept`,
      ...status,
      `the ring went on with generation ${fleet.generation}`,
    ]
  },
}

/** A copy of the key that encrypts, which nginx goes on to decrypt with. @returns what takes it out of nginx.conf. */
function keepKey(machine: Machine): () => void {
  const [current = ''] = terminatorOf(machine).keyFiles(machine)
  const kept = join(machine.memory, 'kept.key')
  copyFileSync(current, kept)
  return editNginx(machine, `  ssl_session_ticket_key ${kept};`)
}
