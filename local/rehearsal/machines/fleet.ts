import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { Host } from '../clients/messages.ts'
import type { Workspace } from '../workspace.ts'
import { type Fleet, isStapled, type Kind, kindsOf, TERMINATORS } from './kinds.ts'
import type { Machine } from './machine.ts'
import { equip, equipWithStaples, type RingOfFleet, type SetOfFleet } from './own-settings.ts'
import type { Pki } from './pki.ts'
import { freePorts } from './ports.ts'

/** The machine as its clients know it. */
export function hostOf({ id, server, publicPort, proxyProtocol, pki }: Machine): Host {
  const { speaks } = TERMINATORS[server]
  const { serverName } = pki
  return { id, server, port: publicPort, proxyProtocol, serverName, speaks, stapled: isStapled(server) }
}

/** Plans the machines and writes their configuration: nothing runs yet. */
export async function planFleet(
  fleet: Fleet,
  ring: RingOfFleet,
  pki: Pki,
  workspace: Workspace,
  set?: SetOfFleet,
): Promise<readonly Machine[]> {
  const machines: Machine[] = []
  for (const server of kindsOf(fleet)) {
    const last = (fleet[server] ?? 0) - 1
    for (let index = 0; index <= last; index += 1) {
      // The last of two or more stands behind PROXY protocol, where its kind can.
      const proxyProtocol = TERMINATORS[server].proxyProtocol && index > 0 && index === last
      const machine = await planMachine(server, {
        proxyProtocol,
        pki,
        workspace,
        agent: index === 1 ? 'old' : 'current',
      })
      equip(machine, ring)
      if (set !== undefined) equipWithStaples(machine, set)
      machines.push(machine)
    }
  }
  return machines
}

interface Plan {
  readonly proxyProtocol: boolean
  readonly agent: Machine['agent']
  readonly pki: Pki
  readonly workspace: Workspace
}

async function planMachine(server: Kind, { proxyProtocol, agent, pki, workspace }: Plan): Promise<Machine> {
  const id = `i-0${randomBytes(8).toString('hex')}`
  const [publicPort, besidePort, ownPort] = (await freePorts(3)) as [number, number, number]
  return {
    id,
    server,
    agent,
    proxyProtocol,
    publicPort,
    plainPort: proxyProtocol ? besidePort : publicPort,
    ownPort,
    directory: join(workspace.disk, id),
    memory: join(workspace.memory, id),
    pki,
    owner: userInfo().username,
  }
}
