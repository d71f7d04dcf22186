import type { Place } from '../../lambda/kernel/inspection.ts'
import { isUnix, type VerifyListener } from '../fleet/machines.ts'
import type { RingConfiguration, ServersSettings } from './configuration.ts'

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
  const kinds = [servers.haproxy, servers.nginx].map((server) => server?.verify ?? [])
  const listeners = kinds.flat()
  const guarded = listeners.filter(isGuarded).map(({ address }) => address)
  const open = listeners.filter(isOpen).map(({ address }) => address)
  if (mixed === undefined && guarded.length > 0 && open.length > 0) place.note(APART, { guarded, open })
  if (mixed === 'checked' && !kinds.some(isMixed)) place.note(TOGETHER, { guarded, open })
  if (isUnproved(servers)) place.at('haproxy').at('client').note(PROVED, undefined)
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

/** HAProxy gives no ticket to a client without its certificate; nginx does, and refuses the request. */
function isUnproved({ haproxy }: ServersSettings): boolean {
  if (haproxy === undefined || haproxy.client !== undefined) return false
  return haproxy.verify.some((listener) => isGuarded(listener) && !isUnix(listener.address))
}
