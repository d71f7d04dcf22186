import { durationText } from '../../lambda/kernel/durations.ts'
import type { Place } from '../../lambda/kernel/inspection.ts'
import { isUnix, type VerifyListener } from '../fleet/machines.ts'
import { type NamedServer, namedIn } from '../servers/servers.ts'
import type { RingConfiguration } from './configuration.ts'

/**
 * Notes what would let a client past a guarded listener: what shares ticket keys shares authentication. A HAProxy before
 * its fixes of August 2026 resumes on a guarded listener what an open one of the same keys began, on every machine.
 */
export function refuseTrust(
  {
    servers,
    mixedClientAuthentication: mixed,
  }: Pick<RingConfiguration, 'servers' | 'mixedClientAuthentication'>,
  ring: Place,
): void {
  const place = ring.at('servers')
  const kinds = namedIn(servers).map(({ values }) => values.verify)
  const listeners = kinds.flat()
  const guarded = listeners.filter(isGuarded).map(({ address }) => address)
  const open = listeners.filter(isOpen).map(({ address }) => address)
  if (mixed === undefined && guarded.length > 0 && open.length > 0) place.note(APART, { guarded, open })
  if (mixed === 'checked' && !kinds.some(isMixed)) place.note(TOGETHER, { guarded, open })
  for (const server of namedIn(servers)) {
    if (isUnproved(server)) place.at(server.kind).at('client').note(PROVED, undefined)
  }
}

const APART =
  'rings of their own for listeners that demand a client certificate and for those that demand none; or, if they must share one, mixedClientAuthentication "checked"'
const TOGETHER =
  'under verify of one server both listeners that demand a client certificate and listeners that demand none: the tickets of these are what is tried at those'

/** A `unix:` listener that stands for open ones gives the ticket that is tried as well. */
function isMixed(listeners: readonly VerifyListener[]): boolean {
  return listeners.some(isGuarded) && !listeners.every(isGuarded)
}

export function isGuarded({ clientCertificate }: VerifyListener): boolean {
  return clientCertificate === 'required'
}

/** Root alone gets a ticket from a unix: listener, so it is no open one; what it stands for may be declared guarded. */
function isOpen(listener: VerifyListener): boolean {
  return !isGuarded(listener) && !isUnix(listener.address)
}

const PROVED =
  "the client certificate that proves a guarded listener, or a unix: one in that listener's place"

function isUnproved({ facts, values: { client, verify } }: NamedServer): boolean {
  if (!facts.hidesTickets || client !== undefined) return false
  return verify.some((listener) => isGuarded(listener) && !isUnix(listener.address))
}

/** Notes keys of which one server holds half of what another holds whole: an attacker in the one has it easier. */
export function refuseHalves({ servers }: Pick<RingConfiguration, 'servers'>, ring: Place): void {
  const named = namedIn(servers).map(({ kind, facts, values }) => ({ kind, takes: facts.takes(values) }))
  if (!named.some(({ takes }) => takes === 'whole')) return
  for (const { kind, takes } of named) {
    if (takes === 'half') ring.at('servers').at(kind).at('keySize').note(HALVES, 48)
  }
}

const HALVES =
  '80, since another server of this ring is given whole keys, of which this one would hold half: 48 is for rings of their own'

/** Notes a lifetime that a server exceeds whatever it is told: its machines would refuse each delivery as `lifetime-exceeded`. */
export function refuseAnnounced(
  { servers, rotation }: Pick<RingConfiguration, 'servers' | 'rotation'>,
  ring: Place,
): void {
  for (const { kind, facts } of namedIn(servers)) {
    const { announces = 0 } = facts
    if (!(rotation.ticketLifetime < announces)) continue
    const least = durationText(announces)
    const wanted = `${least} or more, with every of twice as much, since ${kind} announces ${least} whatever it is told; or a ring of its own for ${kind}`
    ring.at('rotation').at('ticketLifetime').note(wanted, rotation.ticketLifetime)
  }
}
