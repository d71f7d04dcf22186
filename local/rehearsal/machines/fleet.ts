import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { Host } from '../clients/messages.ts'
import { TLS_VERSIONS } from '../clients/tls-client.ts'
import type { OwnConfiguration, OwnConfigurations } from '../own/own-configuration.ts'
import type { Workspace } from '../workspace.ts'
import { type Fleet, type Kind, kindsOf, TERMINATORS, takesStaples, terminatorOf } from './kinds.ts'
import type { Machine } from './machine.ts'
import { equip, equipWithStaples, type RingOfFleet, type SetOfFleet } from './own-settings.ts'
import type { Pki } from './pki.ts'
import { freePorts } from './ports.ts'

/** The machine as its clients know it. */
export function hostOf(machine: Machine): Host {
  const { id, server, publicPort, proxyProtocol, own } = machine
  const { speaks } = terminatorOf(machine)
  const host = { id, server, port: publicPort, proxyProtocol, serverName: serverNameOf(machine), speaks }
  return { ...host, stapled: takesStaples(machine), ...(own === undefined ? {} : { isStranger: true }) }
}

/** The name that the machine is asked for. */
export function serverNameOf({ own, pki }: Machine): string {
  return own?.doors[0]?.serverName ?? pki.serverName
}

/** Plans the machines and writes their configuration: nothing runs yet. */
export async function planFleet(
  fleet: Fleet,
  ring: RingOfFleet,
  pki: Pki,
  workspace: Workspace,
  set?: SetOfFleet,
  own: OwnFleet = { configurations: {}, backend: 0 },
): Promise<readonly Machine[]> {
  const machines: Machine[] = []
  for (const server of kindsOf(fleet)) {
    const last = (fleet[server] ?? 0) - 1
    for (let index = 0; index <= last; index += 1) {
      // The last of two or more stands behind PROXY protocol, where its kind can.
      const proxyProtocol = TERMINATORS[server].proxyProtocol && index > 0 && index === last
      const agent = index === 1 ? 'old' : 'current'
      const configuration = own.configurations[server]
      const plan = { proxyProtocol, pki, workspace, agent } as const
      const machine =
        configuration === undefined
          ? await planMachine(server, plan)
          : await planOwn(server, plan, configuration, own.backend)
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

/** Configurations of the user's, by kind, and the server that answers in place of their backends. */
export interface OwnFleet {
  readonly configurations: OwnConfigurations
  readonly backend: number
}

/** A machine that runs a configuration of the user's. */
export async function planOwn(
  server: Kind,
  plan: Plan,
  { ports: count, listeners, terminator }: OwnConfiguration,
  backend: number,
): Promise<Machine> {
  const ports = await freePorts(count)
  const doors = listeners.flatMap(({ serverNames, port, ...listener }) =>
    serverNames.map((serverName) => {
      return { ...listener, port: ports[port] as number, serverName, versions: TLS_VERSIONS }
    }),
  )
  const [first] = doors
  const plain = doors.find(({ proxyProtocol }) => !proxyProtocol) ?? first
  const machine = await planMachine(server, plan)
  return {
    ...machine,
    proxyProtocol: first?.proxyProtocol === true,
    publicPort: first?.port ?? machine.publicPort,
    plainPort: plain?.port ?? machine.plainPort,
    own: { terminator, ports, backend, doors },
  }
}
