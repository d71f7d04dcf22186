import type { ServersSettings, VerifyListener } from '../lambda/core/server-settings.ts'
import type { Inspection, Section } from './inspection.ts'
import { isUnix } from './machines.ts'

/**
 * Notes what would let a client past a guarded listener: what shares ticket keys shares authentication. A HAProxy before
 * its fixes of August 2026 resumes on a guarded listener what an open one of the same keys began, on every machine.
 */
export function readTrustGroup(
  inspection: Inspection,
  section: Section,
  servers: ServersSettings,
): ServersSettings {
  const listeners = [servers.haproxy, servers.nginx].flatMap((server) => server?.verify ?? [])
  const guarded = listeners.filter(isGuarded).map(({ address }) => address)
  const open = listeners.filter(isOpen).map(({ address }) => address)
  if (guarded.length > 0 && open.length > 0) inspection.note(section.path, APART, { guarded, open })
  if (isUnproved(servers)) inspection.note(`${section.at('haproxy')}.client`, PROVED, undefined)
  return servers
}

const APART =
  'rings of their own for listeners that demand a client certificate and for those that demand none'

function isGuarded({ clientCertificate }: VerifyListener): boolean {
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
