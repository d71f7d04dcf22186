import { TLS_VERSIONS, type TlsVersion, visit } from '../clients/tls-client.ts'
import { hostOf } from '../machines/fleet.ts'
import type { Machine } from '../machines/machine.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import type { Door } from './own-configuration.ts'

/** What the doors of a fleet take. */
export interface Survey {
  /** By machine; those of one kind are alike. A door without versions gives no client a ticket. */
  readonly doors: ReadonlyMap<string, readonly Door[]>
  /** A line for each door and version that gives none. */
  readonly said: readonly string[]
}

/**
 * Asks the first machine of each kind, at each door in each version once.
 * @throws RehearsalError where none gives a ticket.
 */
export async function survey(machines: readonly Machine[]): Promise<Survey> {
  const doors = new Map<string, readonly Door[]>()
  const said: string[] = []
  for (const kind of new Set(machines.map(({ server }) => server))) {
    const alike = machines.filter(({ server }) => server === kind)
    const seen = await surveyMachine(alike[0] as Machine)
    said.push(...seen.flatMap(({ troubles }) => troubles))
    for (const { id, own } of alike)
      doors.set(id, own?.doors.map((door, at) => ({ ...door, versions: seen[at]?.versions ?? [] })) ?? [])
  }
  return { doors, said }
}

async function surveyMachine(machine: Machine) {
  const { doors = [] } = machine.own ?? {}
  const seen = await Promise.all(doors.map((door) => askAt(machine, door)))
  if (seen.some(({ versions }) => versions.length > 0)) return seen
  const said = seen.flatMap(({ troubles }) => troubles)
  throw new RehearsalError(
    `No listener of the ${machine.server} configuration gives a client a ticket:\n  ${said.join('\n  ')}`,
    'Clients of the rehearsal ask for a page, by GET / over HTTP/1.0, without a client certificate',
  )
}

async function askAt(machine: Machine, door: Door) {
  const versions: TlsVersion[] = []
  const troubles: string[] = []
  for (const version of TLS_VERSIONS) {
    const { port, serverName, proxyProtocol } = door
    const target = { ...hostOf(machine), port, serverName, proxyProtocol }
    const trouble = await visit(target, { authority: machine.pki.authority, version }).then(
      ({ ticket }) => (ticket === undefined ? 'gives no ticket' : undefined),
      ({ message }: Error) => message.trim(),
    )
    if (trouble === undefined) versions.push(version)
    else troubles.push(`${door.spot} ${serverName}: not tried in ${version}: ${trouble}`)
  }
  return { versions, troubles }
}
