import { isIPv6 } from 'node:net'
import { list, oneOf, text } from '../../lambda/kernel/kinds.ts'
import {
  type Kind,
  object,
  optional,
  refuseRepeated,
  setting,
  type Values,
} from '../../lambda/kernel/settings.ts'

// What a setting may hold: it travels inside the single quotes of a shell script, in a document with `{{ }}`, and a
// list of paths is split at spaces and `=`.
const PATH = /^(?!.*\/\/)(?!.*\/\.\.?(\/|$))\/[A-Za-z0-9_./@+-]{0,200}[A-Za-z0-9_]$/
const HOST = '[A-Za-z0-9][A-Za-z0-9.-]{0,200}'
const PORT = '(?:[1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])'
const COMMAND = /^[A-Za-z0-9_./-][A-Za-z0-9 _./:=@,+-]{0,200}$/
const USER = /^[a-z_][a-z0-9_-]{0,31}$/
const ADDRESS = new RegExp(`^(${HOST}|\\[[0-9a-fA-F:.]+\\]):${PORT}$`)
const SERVER_NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/

export const path = text(PATH, 'an absolute path of plain characters, without . or .. in it')
/** A command in words, for no shell. */
export const command = text(COMMAND, 'words of letters, digits and _ . / : = @ , + -')

/** A path of keys, which are never on a disk. */
export const keysPath: Kind<string> = {
  read(value, place) {
    const read = path.read(value, place, {})
    if (read !== '' && !/^\/(run|var\/run|dev\/shm)\//.test(read)) {
      place.note('a path below /run, /var/run or /dev/shm, which are a tmpfs: keys touch no disk', value)
    }
    return read
  },
}

/** Paths of which a machine's settings hold a list; an empty one would leave the server out without a word. */
export const paths = (most: number) =>
  list(
    text(PATH, 'absolute paths of plain characters'),
    { least: 1, most, of: 'absolute paths of plain characters' },
    { text: (all) => all.join(' ') },
  )

const LISTENER = {
  address: setting(text(isAddress, 'address:port or [IPv6]:port as seen on the machine, or unix:/path'), {
    says: '`address:port` or `[IPv6]:port` as seen on the machine of a listener that takes plain TLS, or `unix:/path` of one that root alone reaches',
  }),
  serverName: setting(text(SERVER_NAME, 'a server name'), { says: 'the server name (SNI) to ask it for' }),
  clientCertificate: optional(oneOf('required'), {
    says: '`required`: what the listener, or what a `unix:` one stands for, demands of its clients',
  }),
}
/** A listener on the machine that proves what it serves: it must take plain TLS, no PROXY protocol. */
export type VerifyListener = Values<typeof LISTENER>

const CLIENT = { certificate: setting(path), key: setting(path) }

/** What every kind of server has: who owns its files, and what proves that a delivery has arrived. */
export function proofSettings(server: string, proves: string) {
  return {
    owner: setting(text(USER, "the user name of the server's master process"), {
      says: "user of the server's master process, who owns the files",
      machine: `${server}_OWNER`,
    }),
    verify: setting(
      list(
        object(LISTENER),
        { least: 1, most: 20, of: `listeners: without a handshake nothing proves ${proves}` },
        { text: listenersText },
      ),
      { machine: `${server}_VERIFY` },
    ),
    client: optional(
      object({
        certificate: { ...CLIENT.certificate, machine: `${server}_CLIENT_CERT` },
        key: { ...CLIENT.key, machine: `${server}_CLIENT_KEY` },
      }),
      { says: 'files `certificate` and `key` on the machine, which a guarded listener is shown' },
    ),
  }
}

export function listenersText(listeners: readonly VerifyListener[]): string {
  return listeners.map(({ address, serverName }) => `${address}=${serverName}`).join(' ')
}

/** Names of the instance roles that may read what is delivered. */
export const fleetRoles = list(
  text(/^[\w+=,.@-]{1,64}$/, 'names of IAM roles'),
  { least: 0, most: 20, of: 'names of IAM roles' },
  { check: (roles, place) => refuseRepeated(roles, (index) => place.at(index)) },
)

/** `sun_path` of unix(7) has 108 bytes with its last zero; HAProxy needs a dozen for the name it binds first. */
const MOST_OF_SOCKET = 95

function isAddress(address: string): boolean {
  if (!isUnix(address)) return isSocketAddress(address)
  const socket = address.slice(UNIX.length)
  return PATH.test(socket) && socket.length <= MOST_OF_SOCKET
}

function isSocketAddress(address: string): boolean {
  const [, host = ''] = ADDRESS.exec(address) ?? []
  return host.startsWith('[') ? isIPv6(host.slice(1, -1)) : host !== ''
}

const UNIX = 'unix:'

/** The same for who can only compare with a pattern, as CloudFormation does; of addresses, those that are no IPv6. */
export const PATTERNS = {
  path: PATH.source,
  listener: `^(?:${UNIX}(?=.{1,${MOST_OF_SOCKET}}$)${PATH.source.slice(1, -1)}|${HOST}:${PORT})$`,
  serverName: SERVER_NAME.source,
}

/** A listener that no client reaches: whether it is open or guarded says nothing of what clients may do. */
export function isUnix(address: string): boolean {
  return address.startsWith(UNIX)
}
