import type { ServersSettings, VerifyListener } from '../../lambda/ring/server-settings.ts'
import type { Inspection, Section } from '../fleet/inspection.ts'
import { isUnix } from '../fleet/machines.ts'

/**
 * Notes what would let a client past a guarded listener: what shares ticket keys shares authentication. A HAProxy before
 * its fixes of August 2026 resumes on a guarded listener what an open one of the same keys began, on every machine.
 * @param mixed whether that is refused here, or checked on each machine.
 */
export function noteTrust(
  inspection: Inspection,
  section: Section,
  servers: ServersSettings,
  mixed: 'refused' | 'checked',
): void {
  const kinds = [servers.haproxy, servers.nginx].map((server) => server?.verify ?? [])
  const listeners = kinds.flat()
  const guarded = listeners.filter(isGuarded).map(({ address }) => address)
  const open = listeners.filter(isOpen).map(({ address }) => address)
  const refused = mixed === 'refused' && guarded.length > 0 && open.length > 0
  if (refused) inspection.note(section.path, APART, { guarded, open })
  if (mixed === 'checked' && !kinds.some(isMixed)) inspection.note(section.path, TOGETHER, { guarded, open })
  if (isUnproved(servers)) inspection.note(`${section.at('haproxy')}.client`, PROVED, undefined)
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
