import type {
  HaproxySettings,
  NginxSettings,
  ServersSettings,
  VerifyListener,
} from '../lambda/core/server-settings.ts'
import { durationText, Inspection, type Section } from './inspection.ts'

/** Which machines hold a ring: nothing here has a default. */
export interface Targets {
  /** Tag key of the machines. */
  readonly tag: string
  /** Tag values, one to five: Run Command takes no more for a key. */
  readonly values: readonly string[]
  /** Fewer machines than this hold the rotation. */
  readonly minInstances: number
}

/** When keys change. Durations in whole seconds. */
export interface Rotation {
  /** T: from one advance to the next. */
  readonly every: number
  /** L: how long a ticket lives, as the servers are configured. */
  readonly ticketLifetime: number
  /** From this age on the ring advances though machines are missing, and pages. */
  readonly maxKeyAge: number
  readonly trigger: 'schedule' | 'secrets-manager'
}

/** One ring as configured. */
export interface RingConfiguration {
  readonly name: string
  readonly targets: Targets
  readonly servers: ServersSettings
  readonly rotation: Rotation
  /** Names of the instance roles that may read the ring. */
  readonly fleetRoles: readonly string[]
}

/** The whole of `cdk.json`'s context `ticketring`. */
export interface Configuration {
  readonly rings: readonly RingConfiguration[]
  /** ARN of the SNS topic that alarms tell. */
  readonly alarmTopic?: string
  /** One for now; none means the Region of whoever deploys. */
  readonly regions: readonly string[]
}

// 29 = the 64 characters of a role's name, less `ticketring-`, `-rotation-` and the longest Region. And as a ring's
// roles are named ticketring-<ring>-rotation-*, no other ring's name may make its role look like one of them.
const RING_NAME = /^(?!.*-rotation)[a-z0-9][a-z0-9-]{0,28}$/
// Letters, digits and the signs that tags allow; `aws:` is reserved, and a wildcard would select other machines.
const TAG_KEY = /^(?!aws:)[\w.:/=+@-]{1,128}$/
const TAG_VALUE = /^[\w.:/=+@ -]{1,256}$/
// What a setting may hold: it travels inside the single quotes of a shell script, in a document with `{{ }}`.
const PATH = /^(?!.*\/\/)(?!.*\/\.\.?(\/|$))\/[A-Za-z0-9_./:@,+-]{0,200}[A-Za-z0-9_]$/
const COMMAND = /^[A-Za-z0-9_./-][A-Za-z0-9 _./:=@,+-]{0,200}$/
const USER = /^[a-z_][a-z0-9_-]{0,31}$/
const ADDRESS =
  /^[A-Za-z0-9][A-Za-z0-9.-]{0,200}:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])$/
const SERVER_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i
const ROLE_NAME = /^[\w+=,.@-]{1,64}$/
const TOPIC = /^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}(\.fifo)?$/
const REGION = /^[a-z]{2,4}(-[a-z]+)+-\d$/

const MINUTE = 60
const HOUR = 60 * MINUTE

/**
 * Reads the context `ticketring`.
 * @throws TicketringError `configuration-invalid` that lists every problem with its path, what was wanted and what came.
 */
export function parseConfiguration(value: unknown): Configuration {
  const inspection = new Inspection()
  const top = inspection.section('ticketring', value, ['rings', 'alarmTopic', 'regions'])
  const rings = top.list('rings', { least: 1, most: Number.POSITIVE_INFINITY, of: 'rings' }, (item, path) =>
    readRing(inspection, inspection.section(path, item, RING_FIELDS)),
  )
  checkNames(inspection, top.at('rings'), rings)
  const configuration = {
    rings,
    regions: readRegions(top),
    ...(top.has('alarmTopic')
      ? { alarmTopic: top.text('alarmTopic', TOPIC, 'the ARN of an SNS topic') }
      : {}),
  }
  inspection.settle('a sound context "ticketring" in cdk.json')
  return freeze(configuration)
}

/**
 * Reads one ring; what this returns reads as itself again.
 * @throws TicketringError `configuration-invalid` as {@link parseConfiguration}.
 */
export function parseRing(value: unknown): RingConfiguration {
  const inspection = new Inspection()
  const ring = readRing(inspection, inspection.section('ring', value, RING_FIELDS))
  inspection.settle('a sound ring')
  return freeze(ring)
}

const RING_FIELDS = ['name', 'targets', 'servers', 'rotation', 'fleetRoles']

function readRing(inspection: Inspection, ring: Section): RingConfiguration {
  return {
    name: ring.text(
      'name',
      RING_NAME,
      'a name of 1 to 29 lower-case letters, digits and hyphens, without "-rotation"',
    ),
    targets: readTargets(ring.section('targets', ['tag', 'values', 'minInstances'])),
    servers: readServers(inspection, ring.section('servers', ['haproxy', 'nginx'])),
    rotation: readRotation(
      inspection,
      ring.section('rotation', ['every', 'ticketLifetime', 'maxKeyAge', 'trigger'], {}),
    ),
    fleetRoles: ring.has('fleetRoles')
      ? ring.texts('fleetRoles', ROLE_NAME, { least: 0, most: 20, of: 'names of IAM roles' })
      : [],
  }
}

function readTargets(targets: Section): Targets {
  return {
    tag: targets.text('tag', TAG_KEY, 'a tag key of 1 to 128 characters that does not begin with aws:'),
    values: targets.texts('values', TAG_VALUE, { least: 1, most: 5, of: 'tag values without wildcards' }),
    minInstances: targets.integer('minInstances', 0),
  }
}

function readServers(inspection: Inspection, servers: Section): ServersSettings {
  if (!servers.has('haproxy') && !servers.has('nginx')) {
    servers.refuse('haproxy', 'at least one of haproxy and nginx', undefined)
  }
  return {
    ...(servers.has('haproxy')
      ? { haproxy: readHaproxy(inspection, servers.section('haproxy', HAPROXY_FIELDS)) }
      : {}),
    ...(servers.has('nginx') ? { nginx: readNginx(inspection, servers.section('nginx', NGINX_FIELDS)) } : {}),
  }
}

const HAPROXY_FIELDS = ['keys', 'keySize', 'socket', 'owner', 'verify']

function readHaproxy(inspection: Inspection, haproxy: Section): HaproxySettings {
  return {
    keys: readPath(haproxy, 'keys'),
    keySize: haproxy.oneOf('keySize', [80, 48], 80),
    socket: readPath(haproxy, 'socket'),
    owner: readOwner(haproxy),
    verify: readVerify(inspection, haproxy),
  }
}

const NGINX_FIELDS = ['keys', 'keySize', 'test', 'reload', 'owner', 'verify']

function readNginx(inspection: Inspection, nginx: Section): NginxSettings {
  const command = 'words of letters, digits and _ . / : = @ , + -'
  return {
    keys: readPath(nginx, 'keys'),
    keySize: nginx.oneOf('keySize', [80, 48], 80),
    test: nginx.text('test', COMMAND, command, 'nginx -t'),
    reload: nginx.text('reload', COMMAND, command, 'systemctl reload nginx'),
    owner: readOwner(nginx),
    verify: readVerify(inspection, nginx),
  }
}

function readPath(server: Section, name: string): string {
  return server.text(name, PATH, 'an absolute path of plain characters, without . or .. in it')
}

function readOwner(server: Section): string {
  return server.text('owner', USER, "the user name of the server's master process")
}

function readVerify(inspection: Inspection, server: Section): readonly VerifyListener[] {
  const size = { least: 1, most: 20, of: 'listeners: without a handshake nothing proves which key encrypts' }
  return server.list('verify', size, (item, path) => {
    const listener = inspection.section(path, item, ['address', 'serverName'])
    return {
      address: listener.text('address', ADDRESS, 'address:port as seen on the machine'),
      serverName: listener.text('serverName', SERVER_NAME, 'a server name'),
    }
  })
}

function readRotation(inspection: Inspection, rotation: Section): Rotation {
  const every = rotation.duration('every', 4 * HOUR)
  const ticketLifetime = rotation.duration('ticketLifetime', Math.min(2 * HOUR, Math.floor(every / 2)))
  const maxKeyAge = rotation.duration('maxKeyAge', 3 * every)
  const trigger = rotation.oneOf('trigger', ['schedule', 'secrets-manager'], 'schedule')
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
  return { every, ticketLifetime, maxKeyAge, trigger }
}

function checkNames(inspection: Inspection, path: string, rings: readonly RingConfiguration[]): void {
  rings.forEach(({ name }, index) => {
    const first = rings.findIndex((ring) => ring.name === name)
    if (name === '' || first === index) return
    inspection.note(`${path}[${index}].name`, `a name other than that of ${path}[${first}]`, name)
  })
}

function readRegions(top: Section): readonly string[] {
  if (!top.has('regions')) return []
  return top.texts('regions', REGION, {
    least: 1,
    most: 1,
    of: 'Region: a ring that spans several, with a replicated secret, is not there yet',
  })
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(freeze)
  return Object.freeze(value)
}
