import type { ServersSettings } from '../lambda/core/server-settings.ts'
import { buildDocument, type FleetDocument, proofSettings } from './document.ts'
import { groupName, secretName } from './names.ts'
import type { RingConfiguration } from './ring-configuration.ts'

/**
 * Builds the document that puts a ring in place: `ticketring-<ring>-<12 hex>`.
 * @throws TicketringError `configuration-invalid` if the script cannot travel in a document.
 */
export function buildRingDocument(ring: RingConfiguration, script: string): FleetDocument {
  return buildDocument(
    {
      name: groupName(ring.name),
      description: `Puts the TLS session-ticket keys of ring ${ring.name} in place and proves it by a handshake`,
      step: 'applyRing',
      parameter: {
        name: 'Generation',
        description: 'The least generation that counts as success; the machine fetches the ring by itself',
        default: '1',
        allowedPattern: '^[1-9][0-9]{0,11}$',
      },
      subject: ['TICKETRING_RING', ring.name],
      settings: ringSettings(ring),
    },
    script,
  )
}

/** The settings a ring's machines start from, in the words of `/etc/ticketring/<ring>.conf`. */
function ringSettings({ name, servers, rotation }: RingConfiguration): Readonly<Record<string, string>> {
  return {
    SECRET: secretName(name),
    TICKET_LIFETIME: String(rotation.ticketLifetime),
    ...haproxySettings(servers),
    ...nginxSettings(servers),
  }
}

function haproxySettings({ haproxy }: ServersSettings): Readonly<Record<string, string>> {
  if (haproxy === undefined) return {}
  return {
    HAPROXY_KEYS: haproxy.keys,
    HAPROXY_KEY_SIZE: String(haproxy.keySize),
    HAPROXY_SOCKET: haproxy.socket,
    HAPROXY_OWNER: haproxy.owner,
    ...proofSettings('HAPROXY', haproxy),
  }
}

function nginxSettings({ nginx }: ServersSettings): Readonly<Record<string, string>> {
  if (nginx === undefined) return {}
  return {
    NGINX_KEYS: nginx.keys,
    NGINX_KEY_SIZE: String(nginx.keySize),
    NGINX_TEST: nginx.test,
    NGINX_RELOAD: nginx.reload,
    NGINX_OWNER: nginx.owner,
    ...proofSettings('NGINX', nginx),
  }
}
