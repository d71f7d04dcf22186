import { isIPv6 } from 'node:net'
import type { ClientCertificate, VerifyListener } from '../../lambda/ring/server-settings.ts'
import type { Inspection, Section } from './inspection.ts'

/** Which machines hold something: nothing here has a default. */
export interface Targets {
  /** Tag key of the machines. */
  readonly tag: string
  /** Tag values, one to five: Run Command takes no more for a key. */
  readonly values: readonly string[]
  /** With fewer machines than this nothing goes on; where it is set, `minShare` does not count. */
  readonly minInstances?: number
  /** Percent of the machines that were there which have to be there still; half of them unless told. */
  readonly minShare?: number
  /** Percent of the machines that may fail before the others are spared; 5 unless told. */
  readonly maxFailures?: number
}

// Letters, digits and the signs that Run Command takes after `tag:`, which is no `+`, 128 with it in an association;
// `aws:` is reserved, and a wildcard would select other machines.
const TAG_KEY = /^(?!aws:)[\w.:/=@-]{1,124}$/
const TAG_VALUE = /^[\w.:/=+@ -]{1,256}$/
// What a setting may hold: it travels inside the single quotes of a shell script, in a document with `{{ }}`, and a
// list of paths is split at spaces and `=`.
const PATH = /^(?!.*\/\/)(?!.*\/\.\.?(\/|$))\/[A-Za-z0-9_./@+-]{0,200}[A-Za-z0-9_]$/
const COMMAND = /^[A-Za-z0-9_./-][A-Za-z0-9 _./:=@,+-]{0,200}$/
const USER = /^[a-z_][a-z0-9_-]{0,31}$/
const ADDRESS =
  /^([A-Za-z0-9][A-Za-z0-9.-]{0,200}|\[[0-9a-fA-F:.]+\]):([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])$/
const SERVER_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i
const ROLE_NAME = /^[\w+=,.@-]{1,64}$/

export function readTargets(owner: Section): Targets {
  const targets = owner.section('targets', ['tag', 'values', 'minInstances', 'minShare', 'maxFailures'])
  return {
    tag: targets.text(
      'tag',
      TAG_KEY,
      'a tag key of 1 to 124 letters, digits and _ . : / = @ - that does not begin with aws:',
    ),
    values: targets.texts('values', TAG_VALUE, { least: 1, most: 5, of: 'tag values without wildcards' }),
    ...(targets.has('minInstances') ? { minInstances: targets.integer('minInstances', 1) } : {}),
    ...(targets.has('minShare') ? { minShare: readPercent(targets, 'minShare', 1) } : {}),
    ...(targets.has('maxFailures') ? { maxFailures: readPercent(targets, 'maxFailures', 0) } : {}),
  }
}

/** A share in percent, such as 50. */
function readPercent(targets: Section, name: string, least: number): number {
  const value = targets.raw(name)
  const fits = typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= 100
  return fits ? value : targets.refuse(name, `a whole number of percent, ${least} to 100`, Number.NaN)
}

/** Names of the instance roles that may read what is delivered. */
export function readFleetRoles(inspection: Inspection, owner: Section): readonly string[] {
  if (!owner.has('fleetRoles')) return []
  const roles = owner.texts('fleetRoles', ROLE_NAME, { least: 0, most: 20, of: 'names of IAM roles' })
  inspection.refuseRepeated(owner.at('fleetRoles'), roles, '')
  return roles
}

/** Those of its roles that a ring shares with others: one name, or several. */
export function readSharedRole(owner: Section, fleetRoles: readonly string[]): readonly string[] {
  const said = owner.raw('sharedRole')
  if (typeof said === 'string' && fleetRoles.includes(said)) return [said]
  const of = 'names in fleetRoles, of roles that may read other rings too'
  return owner.texts('sharedRole', (name) => fleetRoles.includes(name), { least: 1, most: 20, of })
}

/** The section of the servers: one of them at least is there. */
export function readServersSection(owner: Section): Section {
  const servers = owner.section('servers', ['haproxy', 'nginx'])
  if (!servers.has('haproxy') && !servers.has('nginx')) {
    servers.refuse('haproxy', 'at least one of haproxy and nginx', undefined)
  }
  return servers
}

export const PATH_WANTED = 'an absolute path of plain characters, without . or .. in it'

export function readPath(server: Section, name: string): string {
  return server.text(name, PATH, PATH_WANTED)
}

/** A path of keys, which are never on a disk. */
export function readKeysPath(server: Section, name: string): string {
  const path = readPath(server, name)
  if (path === '' || /^\/(run|var\/run|dev\/shm)\//.test(path)) return path
  return server.refuse(
    name,
    'a path below /run, /var/run or /dev/shm, which are a tmpfs: keys touch no disk',
    '',
  )
}

/** A list of paths; an empty one would leave the server out without a word. */
export function readPaths(server: Section, name: string, most: number): readonly string[] {
  return server.texts(name, PATH, { least: 1, most, of: 'absolute paths of plain characters' })
}

/** A command in words, for no shell; without a fallback it must be there. */
export function readCommand(server: Section, name: string, fallback?: string): string {
  return server.text(name, COMMAND, 'words of letters, digits and _ . / : = @ , + -', fallback)
}

export function readOwner(server: Section): string {
  return server.text('owner', USER, "the user name of the server's master process")
}

/** What proves that a delivery has arrived. */
export interface Proof {
  readonly verify: readonly VerifyListener[]
  readonly client?: ClientCertificate
}

/** @param proves what a handshake proves and nothing else does. */
export function readProof(inspection: Inspection, server: Section, proves: string): Proof {
  const size = { least: 1, most: 20, of: `listeners: without a handshake nothing proves ${proves}` }
  const verify = server.list('verify', size, (item, path) =>
    readListener(inspection.section(path, item, LISTENER)),
  )
  return { verify, ...(server.has('client') ? { client: readClient(server) } : {}) }
}

const LISTENER = ['address', 'serverName', 'clientCertificate']

function readListener(listener: Section): VerifyListener {
  return {
    address: listener.text(
      'address',
      isAddress,
      'address:port or [IPv6]:port as seen on the machine, or unix:/path',
    ),
    serverName: listener.text('serverName', SERVER_NAME, 'a server name'),
    ...(listener.has('clientCertificate')
      ? { clientCertificate: listener.oneOf('clientCertificate', ['required'], 'required') }
      : {}),
  }
}

function readClient(server: Section): ClientCertificate {
  const client = server.section('client', ['certificate', 'key'])
  return { certificate: readPath(client, 'certificate'), key: readPath(client, 'key') }
}

/** `sun_path` of unix(7) has 108 bytes with its last zero; HAProxy needs a dozen for the name it binds first. */
const MOST_OF_SOCKET = 95

function isAddress(text: string): boolean {
  if (!isUnix(text)) return isSocketAddress(text)
  const path = text.slice(UNIX.length)
  return PATH.test(path) && path.length <= MOST_OF_SOCKET
}

function isSocketAddress(text: string): boolean {
  const [, host = ''] = ADDRESS.exec(text) ?? []
  return host.startsWith('[') ? isIPv6(host.slice(1, -1)) : host !== ''
}

const UNIX = 'unix:'

/** A listener that no client reaches: whether it is open or guarded says nothing of what clients may do. */
export function isUnix(address: string): boolean {
  return address.startsWith(UNIX)
}
