import type { FleetTarget } from '../../lambda/fleet/configuration.ts'
import type { Place } from '../../lambda/kernel/inspection.ts'
import { type NamedServer, namedIn } from '../servers/servers.ts'
import type { RingConfiguration } from './configuration.ts'

/** Notes what rings have in common that each must have for itself. */
export function refuseCommon(rings: readonly RingConfiguration[], place: Place): void {
  rings.forEach((ring, index) => {
    refuseSharedRoles(ring, others(rings, ring, place), place.at(index))
    refuseSharedFiles(ring, others(rings.slice(0, index), ring, place), place.at(index))
  })
}

interface Other {
  readonly ring: RingConfiguration
  readonly at: string
}

function others(
  rings: readonly RingConfiguration[],
  { name }: RingConfiguration,
  place: Place,
): readonly Other[] {
  // Of two with one name, the name is what is wrong.
  return rings.map((ring, at) => ({ ring, at: place.at(at).path })).filter(({ ring }) => ring.name !== name)
}

/** A ring is a trust group: a role that reads two of them joins them, unless its owner says by name that it may. */
function refuseSharedRoles(
  { fleetRoles, sharedRole = [] }: RingConfiguration,
  rings: readonly Other[],
  place: Place,
): void {
  fleetRoles.forEach((role, index) => {
    const other = rings.find(({ ring }) => ring.fleetRoles.includes(role))
    if (role === '' || other === undefined || sharedRole.includes(role)) return
    const wanted = `a role other than ${other.at}'s, whose machines could read both rings; if they may, name it in the sharedRole of each`
    place.at('fleetRoles').at(index).note(wanted, role)
  })
}

/** Each of two rings would overwrite the other's keys, again and again. */
function refuseSharedFiles(ring: RingConfiguration, earlier: readonly Other[], place: Place): void {
  for (const server of namedIn(ring.servers)) {
    const files = filesOf(server)
    const other = earlier.find(
      ({ ring: { targets, servers } }) =>
        mayMeet(targets, ring.targets) &&
        namedIn(servers).some((theirs) => filesOf(theirs).some((file) => files.includes(file))),
    )
    if (other === undefined) continue
    const wanted = `another path than ${other.at}'s: a machine may be of both rings`
    place.at('servers').at(server.kind).at('keys').note(wanted, server.values.keys)
  }
}

/** None of what was refused before. */
function filesOf({ facts, values }: NamedServer): readonly string[] {
  return values.keys === '' ? [] : facts.files(values).map(oneName)
}

/** `/var/run` is a link to `/run`. */
function oneName(file: string): string {
  return file.replace(/^\/var\/run\//, '/run/')
}

/** Whether a machine may be of both fleets: only one tag with other values rules it out. */
function mayMeet(one: FleetTarget, other: FleetTarget): boolean {
  return one.tag !== other.tag || one.values.some((value) => other.values.includes(value))
}
