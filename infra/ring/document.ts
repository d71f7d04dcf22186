import type { ServersSettings } from '../../lambda/ring/server-settings.ts'
import { endpointSettings } from '../fleet/delivery-configuration.ts'
import { buildDocument, type FleetDocument, listenersText, proofSettings } from '../fleet/document.ts'
import type { Proof } from '../fleet/machines.ts'
import { groupName, secretName } from '../fleet/names.ts'
import type { Program } from '../program/program.ts'
import type { RingConfiguration } from './configuration.ts'
import { isGuarded } from './trust-group.ts'

/**
 * Builds the document that puts a ring in place: `ticketring-<ring>-<12 hex>`.
 * @throws TicketringError `configuration-invalid` if the settings cannot travel in a document.
 */
export function buildRingDocument(ring: RingConfiguration, program: Program): FleetDocument {
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
      program: ring.program,
    },
    program,
  )
}

/** The settings a ring's machines start from, in the words of `/etc/ticketring/<ring>.conf`. */
function ringSettings(ring: RingConfiguration): Readonly<Record<string, string>> {
  const { name, servers, rotation } = ring
  return {
    SECRET: secretName(name),
    TICKET_LIFETIME: String(rotation.ticketLifetime),
    ...endpointSettings(ring),
    ...mixedSettings(ring),
    ...haproxySettings(servers),
    ...nginxSettings(servers),
  }
}

/** Of the listeners to verify, those that a ticket of the others must not open. */
function mixedSettings({ mixedClientAuthentication, servers }: RingConfiguration) {
  if (mixedClientAuthentication === undefined) return {}
  return {
    MIXED_CLIENT_AUTHENTICATION: mixedClientAuthentication,
    ...guardedSettings('HAPROXY', servers.haproxy),
    ...guardedSettings('NGINX', servers.nginx),
  }
}

function guardedSettings(server: 'HAPROXY' | 'NGINX', proof: Proof | undefined) {
  const guarded = (proof?.verify ?? []).filter(isGuarded)
  return guarded.length === 0 ? {} : { [`${server}_GUARDED`]: listenersText(guarded) }
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
