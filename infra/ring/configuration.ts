import type { HaproxySettings, NginxSettings, ServersSettings } from '../../lambda/ring/server-settings.ts'
import { KEY_ARN, SECRET_ARN } from '../fleet/arns.ts'
import { DELIVERY_FIELDS, type DeliveryConfiguration, readDelivery } from '../fleet/delivery-configuration.ts'
import { durationText, freeze, Inspection, type Section } from '../fleet/inspection.ts'
import {
  readCommand,
  readFleetRoles,
  readKeysPath,
  readOwner,
  readPath,
  readProof,
  readServersSection,
  readSharedRole,
  readTargets,
  type Targets,
} from '../fleet/machines.ts'
import { readName, secretName } from '../fleet/names.ts'
import { noteTrust } from './trust-group.ts'

/** When keys change. Durations in whole seconds. */
export interface Rotation {
  /** T: from one advance to the next. */
  readonly every: number
  /** L: how long a ticket lives, as the servers are configured. */
  readonly ticketLifetime: number
  /** From this age on the ring advances though machines are missing, and pages. */
  readonly maxKeyAge: number
  readonly trigger: 'schedule' | 'secrets-manager'
  /** No tick makes the first ring: it waits for the keys that the fleet runs on already. */
  readonly start?: 'paused'
}

/** One ring as configured. */
export interface RingConfiguration extends DeliveryConfiguration {
  readonly name: string
  readonly targets: Targets
  readonly servers: ServersSettings
  /** Open and guarded listeners share the ring, and each machine checks that no ticket of the ones opens the others. */
  readonly mixedClientAuthentication?: 'checked'
  readonly rotation: Rotation
  /** Names of the instance roles that may read the ring. */
  readonly fleetRoles: readonly string[]
  /** Those of them that may read other rings too. */
  readonly sharedRole?: readonly string[]
  /** Secret and KMS key that an earlier stack retained: used as they are, with the ring in them. */
  readonly existing?: ExistingRing
  /** ARN of a KMS key of the owner's for the secret, in place of one that is made. */
  readonly key?: string
}

export interface ExistingRing {
  readonly secretArn: string
  readonly keyArn: string
}

const FIELDS = [
  'name',
  'targets',
  'servers',
  'mixedClientAuthentication',
  'rotation',
  ...DELIVERY_FIELDS,
  'fleetRoles',
  'sharedRole',
  'existing',
  'key',
]
const MINUTE = 60
const HOUR = 60 * MINUTE

/**
 * Reads one ring; what this returns reads as itself again.
 * @throws TicketringError `configuration-invalid` that lists every problem with its path, what was wanted and what came.
 */
export function parseRing(value: unknown): RingConfiguration {
  const inspection = new Inspection()
  const ring = readRing(inspection, value, 'ring')
  inspection.settle('a sound ring')
  return freeze(ring)
}

/** Reads one ring and notes what is wrong with it. */
export function readRing(inspection: Inspection, value: unknown, path: string): RingConfiguration {
  const ring = inspection.section(path, value, FIELDS)
  const name = readName(ring)
  const fleetRoles = readFleetRoles(inspection, ring)
  return {
    name,
    targets: readTargets(ring),
    ...readServers(inspection, ring),
    rotation: readRotation(
      inspection,
      ring.section('rotation', ['every', 'ticketLifetime', 'maxKeyAge', 'trigger', 'start'], {}),
    ),
    ...readDelivery(inspection, ring, 'secretsmanager'),
    fleetRoles,
    ...(ring.has('sharedRole') ? { sharedRole: readSharedRole(ring, fleetRoles) } : {}),
    ...readKeeping(ring, name),
  }
}

/** Where the ring is kept, if not in a secret and under a key of the stack's own. */
function readKeeping(ring: Section, name: string): Pick<RingConfiguration, 'existing' | 'key'> {
  const key = ring.has('key') ? { key: ring.text('key', KEY_ARN, 'the ARN of a KMS key') } : {}
  if (!ring.has('existing')) return key
  if (ring.has('key')) ring.refuse('key', 'absent beside existing, which names the key', '')
  const existing = ring.section('existing', ['secretArn', 'keyArn'])
  const secretArn = existing.text(
    'secretArn',
    (text) => SECRET_ARN.test(text) && text.slice(0, -7).endsWith(`:secret:${secretName(name)}`),
    `the whole ARN of the secret ${secretName(name)}, with its six last characters`,
  )
  const beside = (text: string) =>
    KEY_ARN.test(text) && regionOf(text) === (regionOf(secretArn) ?? regionOf(text))
  const keyArn = existing.text('keyArn', beside, "the ARN of a KMS key, in the secret's Region")
  return { existing: { secretArn, keyArn } }
}

function regionOf(arn: string): string | undefined {
  return arn.split(':')[3]
}

function readServers(
  inspection: Inspection,
  ring: Section,
): Pick<RingConfiguration, 'servers' | 'mixedClientAuthentication'> {
  const section = readServersSection(ring)
  const mixed = ring.oneOf('mixedClientAuthentication', ['refused', 'checked'], 'refused')
  const servers = readKinds(inspection, section)
  noteTrust(inspection, section, servers, mixed)
  return { servers, ...(mixed === 'checked' ? { mixedClientAuthentication: mixed } : {}) }
}

function readKinds(inspection: Inspection, servers: Section): ServersSettings {
  return {
    ...(servers.has('haproxy')
      ? { haproxy: readHaproxy(inspection, servers.section('haproxy', HAPROXY_FIELDS)) }
      : {}),
    ...(servers.has('nginx') ? { nginx: readNginx(inspection, servers.section('nginx', NGINX_FIELDS)) } : {}),
  }
}

const PROVES = 'which key encrypts'
const HAPROXY_FIELDS = ['keys', 'keySize', 'socket', 'owner', 'verify', 'client']

function readHaproxy(inspection: Inspection, haproxy: Section): HaproxySettings {
  return {
    keys: readKeysPath(haproxy, 'keys'),
    keySize: haproxy.oneOf('keySize', [80, 48], 80),
    socket: readPath(haproxy, 'socket'),
    owner: readOwner(haproxy),
    ...readProof(inspection, haproxy, PROVES),
  }
}

const NGINX_FIELDS = ['keys', 'keySize', 'test', 'reload', 'owner', 'verify', 'client']

function readNginx(inspection: Inspection, nginx: Section): NginxSettings {
  return {
    keys: readKeysPath(nginx, 'keys'),
    keySize: nginx.oneOf('keySize', [80, 48], 80),
    test: readCommand(nginx, 'test', 'nginx -t'),
    reload: readCommand(nginx, 'reload', 'systemctl reload nginx'),
    owner: readOwner(nginx),
    ...readProof(inspection, nginx, PROVES),
  }
}

function readRotation(inspection: Inspection, rotation: Section): Rotation {
  const every = rotation.duration('every', 4 * HOUR)
  const ticketLifetime = rotation.duration('ticketLifetime', Math.min(2 * HOUR, Math.floor(every / 2)))
  const maxKeyAge = rotation.duration('maxKeyAge', 3 * every)
  const trigger = rotation.oneOf('trigger', ['schedule', 'secrets-manager'], 'schedule')
  const start = rotation.oneOf('start', ['at-once', 'paused'], 'at-once')
  const rules: readonly (readonly [boolean, string, string, number])[] = [
    [every < 30 * MINUTE || every > 24 * HOUR, 'every', 'from 30m to 24h', every],
    [every % MINUTE > 0, 'every', 'whole minutes', every],
    [
      trigger === 'secrets-manager' && (every < 4 * HOUR || every % HOUR > 0),
      'every',
      'whole hours, 4 or more, as Secrets Manager rotates no oftener',
      every,
    ],
    [ticketLifetime * 2 > every, 'ticketLifetime', 'at most half of every', ticketLifetime],
    [
      maxKeyAge <= every + ticketLifetime,
      'maxKeyAge',
      'more than every and ticketLifetime together, the soonest that the gate can open',
      maxKeyAge,
    ],
  ]
  for (const [broken, name, wanted, seconds] of rules) {
    if (broken) inspection.note(rotation.at(name), wanted, durationText(seconds))
  }
  return { every, ticketLifetime, maxKeyAge, trigger, ...(start === 'paused' ? { start } : {}) }
}
